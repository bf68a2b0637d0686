//go:build !linux

package lab

import "syscall"

// attributes makes a process the leader of its own group.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func start(f func() error) error { return f() }
