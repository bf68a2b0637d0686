package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that a process has used, in ns, those of its threads that have ended included. /proc has it in
// steps of 10 ms only.
func cpuTime(pid int) (time.Duration, error) {
	const schedulerClock = 2 // clock_getcpuclockid(3): CPUCLOCK_SCHED
	var t unix.Timespec
	err := unix.ClockGettime(int32(^pid)<<3|schedulerClock, &t) // #nosec G115 -- as that page says; pids have 22 bits
	return time.Duration(t.Nano()), err
}

// doze sleeps on the calling thread, to some 50 µs.
func doze(d time.Duration) {
	if d > 0 {
		t := unix.NsecToTimespec(int64(d))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &t, nil) // waking too early is no worse than too late
	}
}
