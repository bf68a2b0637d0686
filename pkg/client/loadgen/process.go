package main

import (
	"bytes"
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

// clockTick is the unit of CPU time in /proc: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// measure reads the processes' usage from /proc. Without processes it is zero.
func measure(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return sum, err
		}
		// The second field is the name in brackets and may hold anything (proc(5)).
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, i := range []int{11, 12} { // utime, stime
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return sum, err
			}
			sum.CPU += time.Duration(n) * clockTick
		}
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
