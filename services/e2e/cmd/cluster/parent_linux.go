package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// endWithParent makes the end of `go run` a SIGTERM to this process: it does not pass on the SIGTERM that it dies of, and
// the cluster would go on without anybody knowing. Of other parents the cluster is independent.
func endWithParent() {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	if err != nil || strings.TrimSpace(string(comm)) != "go" {
		return
	}
	runtime.LockOSThread() // the kernel keeps the wish per thread, and the main one lives longest
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
}
