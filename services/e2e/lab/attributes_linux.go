package lab

import (
	"runtime"
	"sync"
	"syscall"
)

// attributes makes a process the leader of its own group, and lets the kernel kill it when this process ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start runs f on a thread that lives as long as this process: the kernel watches the thread that made the child, not
// the process (prctl(2), PR_SET_PDEATHSIG).
func start(f func() error) error {
	starter.once.Do(func() { go serveStarts() })
	err := make(chan error)
	starter.calls <- func() { err <- f() }
	return <-err
}

var starter = struct {
	once  sync.Once
	calls chan func()
}{calls: make(chan func())}

// serveStarts never ends.
func serveStarts() {
	runtime.LockOSThread()
	for call := range starter.calls {
		call()
	}
}
