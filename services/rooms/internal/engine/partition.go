package engine

import (
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/chaosbreak"
	"signalling/services/rooms/internal/ownership"
	"signalling/services/rooms/internal/room"
)

// partition is one that we own.
type partition struct {
	number int
	epoch  uint64
	// until is when we stop serving it unless the grant is prolonged; zero is never.
	until time.Time
	// asks: gateways must be asked to announce as soon as we may speak for the partition.
	asks bool
	// rooms is nil while the partition recovers, recovery while it is active.
	rooms    *room.Partition
	recovery *recovery
	// parts are announcements that have not arrived completely, by gateway.
	parts map[string]*assembly
	subs  []*nats.Subscription
}

// serves says whether we may act as the partition's owner now.
func (e *Engine) serves(p *partition) bool {
	return chaosbreak.Fencing || p.until.IsZero() || (e.now.Before(p.until) && !e.deaf())
}

// granted takes a grant into account.
func (e *Engine) granted(g ownership.Grant) error {
	p := e.partitions[g.Partition]
	switch {
	case chaosbreak.Fencing && g.Epoch == 0 && g.Released == nil:
		return nil
	case g.Epoch == 0:
		if p != nil {
			e.lose(p)
		}
		if g.Released != nil {
			g.Released()
		}
		return nil
	case p == nil:
		p = &partition{number: g.Partition}
		if err := e.gain(p); err != nil {
			return err
		}
	}
	p.until = g.Until
	if !g.Until.IsZero() && (g.Asked.Before(e.link.fresh) || e.deaf()) {
		// It may have ended while we were cut off.
		p.until = e.now
		e.opts.Ownership.Doubt()
	}
	if p.epoch != g.Epoch {
		p.epoch = g.Epoch
		e.takeOver(p)
	} else if p.asks {
		e.askAll(p)
	}
	return nil
}

// gain subscribes before anything is said about the new ownership, so that what it causes is not missed.
func (e *Engine) gain(p *partition) error {
	for subject, k := range map[string]kind{
		bus.CommandSubject(p.number): commands, bus.AnnounceSubject(p.number): announces,
		bus.AdminPartition(bus.Do, p.number): operators, bus.AdminPartition(bus.Ask, p.number): questions,
	} {
		sub, err := e.subscribe(subject, k)
		if err != nil {
			return err
		}
		p.subs = append(p.subs, sub)
	}
	e.partitions[p.number] = p
	e.opts.Metrics.gained.Inc()
	return nil
}

// lose forgets a partition that is not ours any more. What is on its way here is still taken, to be answered "retry".
func (e *Engine) lose(p *partition) {
	for sub := range e.kinds {
		if !sub.IsValid() {
			delete(e.kinds, sub) // drained since an earlier loss
		}
	}
	for _, sub := range p.subs {
		_ = sub.Drain() // fails only if it has ended
	}
	e.partitions[p.number] = nil
	e.opts.Metrics.lost.Inc()
	e.log.Info("partition lost", "partition", p.number, "epoch", p.epoch)
}

// takeOver begins a new epoch.
func (e *Engine) takeOver(p *partition) {
	p.parts = nil
	e.forgetSeen(p.number)
	if e.opts.Fresh && p.rooms == nil {
		p.rooms = room.New(p.epoch, e.opts.Limits)
		return
	}
	p.rooms = nil
	e.startRecovery(p)
}

// askAll asks all gateways to announce what they hold in the partition.
func (e *Engine) askAll(p *partition) {
	p.asks = !e.serves(p) || !e.send(bus.ResyncSubject, &bus.Resync{Partition: p.number, Epoch: p.epoch})
	if !p.asks && p.recovery != nil {
		p.recovery.asked(e.now, e.opts.RecoveryWindow)
	}
}

// expireRooms closes the rooms that have waited long enough for their owners.
func (e *Engine) expireRooms() {
	for _, p := range e.partitions {
		if p != nil && p.rooms != nil && e.serves(p) {
			e.publishEvents(p, p.rooms.Expire(e.now.Sub(e.born).Milliseconds()))
		}
	}
}

// publishDigests tells once in a while which rooms have changed.
func (e *Engine) publishDigests() {
	if e.now.Before(e.nextDigest) {
		return
	}
	e.nextDigest = e.now.Add(bus.DigestInterval)
	for _, p := range e.partitions {
		if p == nil || p.rooms == nil || !e.serves(p) {
			continue
		}
		sent := true
		for _, d := range p.rooms.Changed(p.number) {
			sent = e.send(bus.DigestSubject(p.number), &d) && sent
		}
		if sent {
			p.rooms.Forget()
		}
	}
}
