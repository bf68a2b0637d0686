package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what the server's processes have used, all together.
type usage struct {
	CPU time.Duration
	// PSS is the proportional set size: memory, with shared pages divided among those that share them.
	PSS int64
}

// measure asks the kernel for the processes' usage. Without processes it is zero.
func measure(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		cpu, err := cpuTime(pid)
		if err != nil {
			return sum, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		sum.CPU += cpu
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return sum, err
		}
		_, rest, _ := strings.Cut(string(rollup), "Pss:")
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return sum, err
		}
		sum.PSS += kib << 10
	}
	return sum, nil
}
