//go:build unix

package command

import "syscall"

// openFiles is how many files, and so connections, the process may have open; 0
// where that is not known. The runtime has raised it as far as it may be.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}
