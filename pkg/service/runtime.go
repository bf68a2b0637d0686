package service

import (
	"os"
	"runtime"
	"runtime/metrics"
	"time"
)

// started is about when the process began.
var started = time.Now()

// Runtime is what a process can say of itself.
type Runtime struct {
	// Version is the build; see [Version].
	Version string
	// Host is the name of the machine, pod or container.
	Host string
	PID  int
	// Started is about when the process began, Uptime how many seconds ago that was.
	Started time.Time
	Uptime  float64
	// Memory is what the heap holds, in bytes, and Goroutines how many there are.
	Memory     uint64
	Goroutines int
}

// Self describes this process. It is cheap enough to be called every second.
func Self() Runtime {
	host, _ := os.Hostname() // nameless where it has none
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	r := Runtime{
		Version: Version(), Host: host, PID: os.Getpid(), Started: started, Uptime: time.Since(started).Seconds(),
		Goroutines: runtime.NumGoroutine(),
	}
	if heap[0].Value.Kind() == metrics.KindUint64 {
		r.Memory = heap[0].Value.Uint64()
	}
	return r
}
