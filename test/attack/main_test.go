// Package attack_test attacks the program as hostile clients do: with forged tokens, crowds of
// connections, answers that are never read and bodies of rubbish. What the attacks may take from
// others is bounded.
package attack_test

import (
	"flag"
	"testing"

	"marcador/test/testkit"
)

// full makes the tests named TestAttack_ as large as a real attack, as make soak does. Without it
// they are small enough for make test, and prove the same bounds as ratios.
var full = flag.Bool("full", false, "run the attacks at full size")

func TestMain(m *testing.M) { testkit.Main(m) }
