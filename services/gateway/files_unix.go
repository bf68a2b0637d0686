//go:build unix

package gateway

import "syscall"

// maxFiles is how many files the process may have open; 0 if that is not known. Go has raised the soft limit to the hard one.
func maxFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || l.Cur > 1<<30 {
		return 0
	}
	return int(l.Cur)
}
