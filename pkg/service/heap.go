package service

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// spareHeap is what the heap of a busy process may grow by between two collections, if that is more than it holds. More
	// saves little, and leaves holes: what stays of a rush of clients then lies among the garbage of many.
	spareHeap = 8 << 20
	// busyBelow is the time between two collections below which a process is busy; it is until none was due for quietAfter. The
	// second is so much longer that a process in between does not go to and fro. What came closer together than that is
	// worth giving back.
	busyBelow  = 250 * time.Millisecond
	quietAfter = 2 * time.Second

	// ordinaryPercent is the runtime's own GOGC, and leastHeap what it counts a smaller heap as.
	ordinaryPercent = 100
	leastHeap       = 4 << 20
)

// heapPacer makes the garbage collector run less often in a busy process with a small heap. By itself it runs each time that
// the heap has doubled: a gateway that holds 3 MiB and relays 100 MB in a second collects 30 times in it, which takes more CPU
// time than the relaying. A process that has become quiet gets the runtime's own pace again, and gives memory back at once:
// the runtime by itself would take minutes.
type heapPacer struct {
	set  func(percent int)
	free func() // collects, and gives memory back

	mu      sync.Mutex // guards what follows; held while set runs, so that the last one counts
	last    time.Time  // when a collection ended
	percent int
	quiet   *time.Timer // runs from each of those that come close together, and while percent is not the ordinary one
}

// paceHeap makes the process's heap paced, unless somebody has chosen a pace by GOGC. GOMEMLIMIT bounds the heap as ever.
func paceHeap() {
	if os.Getenv("GOGC") != "" {
		return
	}
	newHeapPacer(func(percent int) { debug.SetGCPercent(percent) }, debug.FreeOSMemory).watch()
}

func newHeapPacer(set func(percent int), free func()) *heapPacer {
	return &heapPacer{set: set, free: free, last: time.Now(), percent: ordinaryPercent}
}

// watch has the end of each collection told.
func (p *heapPacer) watch() {
	runtime.AddCleanup(new([64]byte), func(p *heapPacer) {
		p.watch()
		p.collected(liveHeap())
	}, p)
}

// liveHeap is what the last collection has left, in bytes.
func liveHeap() uint64 { return readBytes("/gc/heap/live:bytes") }

// collected takes note of a collection.
func (p *heapPacer) collected(live uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	since := now.Sub(p.last)
	p.last = now
	if since < busyBelow || p.percent != ordinaryPercent {
		p.change(max(ordinaryPercent, int(spareHeap*100/max(live, leastHeap)))) // #nosec G115 -- at most 200
	}
	switch {
	case since >= quietAfter && p.percent == ordinaryPercent:
		// rare ones find little; calm's own is one of them
	case p.quiet == nil:
		p.quiet = time.AfterFunc(quietAfter, p.calm)
	default:
		p.quiet.Reset(quietAfter)
	}
}

// change sets another percentage. Small differences are not worth stopping the world for. mu is held.
func (p *heapPacer) change(percent int) {
	if d := percent - p.percent; percent != ordinaryPercent && d < p.percent/4 && d > -p.percent/4 {
		return
	}
	if percent != p.percent {
		p.percent = percent
		p.set(percent)
	}
}

// calm ends the busy time.
func (p *heapPacer) calm() {
	p.mu.Lock()
	quiet := time.Since(p.last) >= quietAfter
	if quiet {
		p.change(ordinaryPercent)
	}
	p.mu.Unlock()
	if quiet {
		p.free()
	}
}
