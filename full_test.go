package main

import "flag"

// full has tests named TestAttack_ run at the size of a real attack: make soak does so. Without it
// they are small enough for make test, and prove the same bounds as ratios.
var full = flag.Bool("full", false, "run the attacks at full size")
