// Package process_test kills, signals and traces the program as a process, breaks its files, and
// checks that nothing it acknowledged is lost.
package process_test

import (
	"testing"

	"marcador/test/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
