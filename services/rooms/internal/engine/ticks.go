package engine

import "time"

// tickInterval is how often time is looked at while something depends on it. Most of the time nothing does, and each look wakes
// an idle process: then the next one is when it is due.
const tickInterval = 100 * time.Millisecond

// tick does what time makes due.
func (e *Engine) tick() {
	e.pingSelf()
	if e.deaf() {
		return // silence and missing announcements prove nothing now
	}
	e.watchGateways()
	e.watchOrphans()
	e.recoverPartitions()
	e.expireRooms()
	e.publishDigests()
}

// soon is called for whatever tick may have to look at, if that begins between two ticks: the next one comes within
// tickInterval.
func (e *Engine) soon() {
	if e.quiet {
		e.quiet = false
		e.ticks.Reset(tickInterval)
	}
}

// untilTick is the time to the next tick. Each is late by tickInterval at most.
func (e *Engine) untilTick() time.Duration {
	e.quiet = !e.restless()
	if !e.quiet {
		return tickInterval
	}
	due := e.selfPingDue()
	if e.nextDigest.Before(due) {
		due = e.nextDigest
	}
	for _, g := range e.gateways {
		if suspected := g.heard.Add(suspectAfter); suspected.Before(due) {
			due = suspected
		}
	}
	return max(due.Sub(e.now), tickInterval)
}

// restless says whether tick has something to look at that is not due at a known time.
func (e *Engine) restless() bool {
	if e.deaf() || len(e.orphans) > 0 || len(e.questions) > 0 {
		return true
	}
	for _, g := range e.gateways {
		if !g.refused.IsZero() || e.now.Sub(g.heard) > suspectAfter {
			return true
		}
	}
	for _, p := range e.partitions {
		if p != nil && (p.asks || p.recovery != nil || p.rooms != nil && p.rooms.Waits()) {
			return true
		}
	}
	return false
}
