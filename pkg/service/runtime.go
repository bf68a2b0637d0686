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
	return Runtime{
		Version: Version(), Host: host, PID: os.Getpid(), Started: started, Uptime: time.Since(started).Seconds(),
		Memory: readBytes("/memory/classes/heap/objects:bytes"), Goroutines: runtime.NumGoroutine(),
	}
}

// readBytes reads one of the runtime's metrics; one that it does not have is 0.
func readBytes(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}
