package engine

import (
	"time"

	"signalling/api/bus"
)

// maxWindow bounds what a gateway may ask for.
const maxWindow = time.Hour

func windowOf(h *bus.Heartbeat) time.Duration {
	return time.Duration(min(h.Window, uint64(maxWindow/time.Millisecond))) * time.Millisecond // #nosec G115 -- bounded
}

// orphan is a gateway that is gone and whose members are kept.
type orphan struct {
	until  time.Time
	window time.Duration
}

// orphan keeps the members of a gateway that is no more, because their clients may come back to other gateways: those move
// the members that come, and the others are removed when the window ends.
func (e *Engine) orphan(g *gateway, reason string) {
	e.soon()
	e.orphans[g.id] = orphan{e.now.Add(g.window), g.window}
	e.log.Info("gateway gone, its members are kept", "gateway", g.id, "reason", reason, "silent", e.now.Sub(g.heard),
		"for", g.window)
}

// watchOrphans removes the members whose clients have not come back in time.
func (e *Engine) watchOrphans() {
	for id, o := range e.orphans {
		if e.now.Before(o.until) {
			continue
		}
		delete(e.orphans, id)
		e.log.Info("the window of a gateway has ended", "gateway", id, "members", e.remove(id))
	}
}
