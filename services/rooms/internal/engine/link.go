package engine

import (
	"time"

	"signalling/api/bus"
)

const (
	// selfPingInterval is the silence after which we send ourselves a message, so that a living link to NATS is never silent
	// for long.
	selfPingInterval = 750 * time.Millisecond
	// maxSilence is the longest time without any message after which we still believe that we hear everything. Beyond it
	// the link was dead or this process did not run: then the silence of others proves nothing about them.
	maxSilence = 1500 * time.Millisecond
)

// link is what is known about our way to NATS.
type link struct {
	connects uint64
	heard    time.Time // the last message of any kind
	pinged   time.Time // the last message to ourselves
	fresh    time.Time // the last freshStart
}

// Connected is to be called when a connection to NATS has been made, the first or a later one. Any goroutine may.
func (e *Engine) Connected() {
	e.down.Store(false)
	e.connects.Add(1)
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Disconnected is to be called when a connection to NATS has been lost. Any goroutine may.
func (e *Engine) Disconnected() { e.down.Store(true) }

// hear notes a message.
func (e *Engine) hear() {
	if e.now.Sub(e.link.heard) > maxSilence {
		e.freshStart("heard nothing for a while")
	}
	e.link.heard = e.now
}

// deaf says that we may be missing messages.
func (e *Engine) deaf() bool { return e.now.Sub(e.link.heard) > maxSilence || e.down.Load() }

func (e *Engine) pingSelf() {
	if !e.now.Before(e.selfPingDue()) {
		e.link.pinged = e.now
		e.publish(bus.RoomsPingSubject(e.opts.Instance), nil)
	}
}

func (e *Engine) selfPingDue() time.Time {
	last := e.link.heard
	if last.Before(e.link.pinged) {
		last = e.link.pinged
	}
	return last.Add(selfPingInterval)
}

// freshStart begins anew after a time in which messages may have been lost. Everybody gets a full timeout again, because
// others were cut off too; gateways are asked what they hold, because what we sent may not have arrived; and partitions
// that somebody else may have taken are not served until that is cleared up.
func (e *Engine) freshStart(reason string) {
	e.soon()
	first := e.link.fresh.IsZero()
	e.link.heard, e.link.fresh = e.now, e.now
	for _, g := range e.gateways {
		g.heard, g.refused, g.confirmed = e.now, time.Time{}, false
	}
	if !first {
		e.opts.Metrics.freshStarts.Inc()
		e.log.Info("fresh start", "reason", reason, "gateways", len(e.gateways))
	}
	doubt := false
	for _, p := range e.partitions {
		if p == nil {
			continue
		}
		p.parts = nil
		if !p.until.IsZero() {
			p.until, doubt = e.now, true
		}
		if !first || p.recovery != nil { // else nobody has been told anything yet
			e.askAll(p)
		}
	}
	if doubt {
		e.opts.Ownership.Doubt()
	}
}
