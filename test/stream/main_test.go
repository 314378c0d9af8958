// Package stream_test follows streams of the whole program: what they say, in which order, over
// which protocol, and how they end.
package stream_test

import (
	"testing"

	"marcador/test/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
