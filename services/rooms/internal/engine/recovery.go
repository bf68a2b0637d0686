package engine

import (
	"time"

	"signalling/api/bus"
	"signalling/services/rooms/internal/room"
)

const (
	// askAgainInterval is how often a gateway is asked again that lives and has not announced.
	askAgainInterval = time.Second
	// maxExtensions is how often the recovery window is opened again for gateways that live and have not announced.
	maxExtensions = 2
	// tickBudget bounds the work of one tick, so that messages are not left waiting.
	tickBudget = 50 * time.Millisecond
)

// recovery is how a new owner learns its rooms.
type recovery struct {
	// announced has the last full announcement of each gateway.
	announced map[string]heldAnnounce
	// began is when the partition became ours.
	began time.Time
	// since is when the gateways were asked; zero until they could be.
	since      time.Time
	deadline   time.Time
	askAgain   time.Time
	extensions int
}

// heldAnnounce waits for its correction.
type heldAnnounce struct {
	announce *bus.Announce
	reply    string
	at       time.Time
}

func (e *Engine) startRecovery(p *partition) {
	e.soon()
	p.recovery = &recovery{announced: map[string]heldAnnounce{}, began: e.now}
	if e.link.fresh.IsZero() {
		p.asks = true // not connected yet
		return
	}
	e.askAll(p)
	e.tryActivate(p) // if there is nobody to wait for
}

func (r *recovery) asked(now time.Time, window time.Duration) {
	r.since, r.deadline, r.askAgain = now, now.Add(window), now.Add(askAgainInterval)
}

// recoverPartitions ends the recoveries that may end.
func (e *Engine) recoverPartitions() {
	for _, p := range e.partitions {
		if p == nil || p.recovery == nil || !e.serves(p) {
			continue
		}
		if p.asks {
			e.askAll(p)
		}
		e.tryActivate(p)
		if time.Since(e.now) > tickBudget {
			return
		}
	}
}

// tryActivate ends a recovery if all gateways that live have announced, or if their time is over.
func (e *Engine) tryActivate(p *partition) {
	r := p.recovery
	// Whoever has listened for so long knows all gateways by their heartbeats.
	if p.asks || e.now.Before(e.link.fresh.Add(e.opts.Settle)) {
		return
	}
	missing, alive := e.missing(r)
	switch {
	case len(missing) == 0:
	case e.now.Before(r.deadline):
		e.askMissing(p, missing)
		return
	case alive && r.extensions < maxExtensions:
		r.extensions++
		r.deadline = e.now.Add(e.opts.RecoveryWindow)
		e.log.Warn("waiting longer for announcements", "partition", p.number, "gateways", missing)
		e.askMissing(p, missing)
		return
	default:
		e.log.Warn("going on without announcements", "partition", p.number, "gateways", missing)
	}
	e.activate(p)
}

// missing lists the gateways that have not announced, and says whether one of them certainly lives.
func (e *Engine) missing(r *recovery) (missing []string, alive bool) {
	for id, g := range e.gateways {
		// One from before the question is kept, but a newer one is to come.
		if h, ok := r.announced[id]; !ok || h.at.Before(r.since) {
			missing = append(missing, id)
			alive = alive || (g.confirmed && e.now.Sub(g.heard) <= suspectAfter)
		}
	}
	return missing, alive
}

func (e *Engine) askMissing(p *partition, missing []string) {
	if e.now.Before(p.recovery.askAgain) {
		return
	}
	p.recovery.askAgain = e.now.Add(askAgainInterval)
	for _, id := range missing {
		e.send(bus.ResyncOneSubject(id), &bus.Resync{Partition: p.number, Epoch: p.epoch})
	}
}

// activate makes the rooms from what was announced, and tells everyone who announced how they are.
func (e *Engine) activate(p *partition) {
	e.soon()
	r := p.recovery
	all := make([]*bus.Announce, 0, len(r.announced))
	for id, h := range r.announced {
		all = append(all, h.announce)
		if g := e.gateways[id]; g != nil {
			g.seenOf(p.number).settle(h.announce)
		}
	}
	p.recovery = nil
	p.rooms = room.Rebuild(p.epoch, e.opts.Limits, all)
	e.counters.recoveries++
	e.opts.Metrics.recovered.Observe(e.now.Sub(r.began).Seconds())
	e.log.Debug("partition recovered", "partition", p.number, "epoch", p.epoch, "rooms", p.rooms.Rooms(),
		"members", p.rooms.Members(), "gateways", len(all), "took", e.now.Sub(r.since))
	for _, h := range r.announced {
		e.compare(p, h.announce, h.reply)
	}
	e.logRecovered()
}

// logRecovered says that no partition recovers any more.
func (e *Engine) logRecovered() {
	s := e.stats()
	if s.Active == s.Owned {
		e.log.Info("all partitions serve", "partitions", s.Owned, "gateways", s.Gateways, "rooms", s.Rooms, "members", s.Members)
	}
}
