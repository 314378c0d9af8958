//go:build !linux

// Bench loads servers with streams and measures what each stream costs them.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: the load command needs Linux")
	os.Exit(1)
}
