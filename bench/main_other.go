//go:build !linux

// Bench loads servers with streams and writes, and measures what these cost.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: the load command needs Linux")
	os.Exit(1)
}
