package command_test

import (
	"testing"

	"marcador/test/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
