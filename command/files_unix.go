//go:build unix

package command

import "syscall"

// openFiles returns how many files, and so connections, the process may have open, or 0 if that is
// not known. Go's runtime has already raised the limit as far as the system allows.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}
