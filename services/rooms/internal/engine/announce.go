package engine

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/chaosbreak"
)

const (
	// maxParts bounds the parts of one announcement.
	maxParts = 256
	// partsTimeout is how long the next part of an announcement may take.
	partsTimeout = 5 * time.Second
	// maxEpoch and maxVersion are more than any owner reaches by counting: a gateway that has met a higher one has not, and
	// what counts on from there must not overflow.
	maxEpoch   = 1 << 53
	maxVersion = 1 << 62
)

// assembly is an announcement of which not all parts are here.
type assembly struct {
	announce bus.Announce
	next     uint64
	since    time.Time
}

func (e *Engine) handleAnnounce(m *nats.Msg) {
	var a bus.Announce
	if err := a.Decode(m.Data); err != nil {
		e.malformed(m, err)
		return
	}
	reply := answerTo(m, a.Gateway, a.Seq)
	if !e.alive(a.Gateway) {
		return
	}
	number, _ := bus.PartitionOf(m.Subject)
	p := e.partitions[number]
	if p != nil && !believable(&a, p.epoch) {
		e.malformed(m, errUnbelievable)
		return
	}
	switch {
	case p == nil || !e.serves(p):
		e.announceLater(reply, 0)
	case a.Epoch > p.epoch && !chaosbreak.Fencing:
		e.challenge(p, a.Epoch)
		e.announceLater(reply, p.epoch)
	default:
		e.take(p, &a, reply)
	}
}

var errUnbelievable = errors.New("nobody can have met so high an epoch or version")

// believable says whether an owner can have counted to the numbers of an announcement.
func believable(a *bus.Announce, epoch uint64) bool {
	if a.Epoch > max(epoch, maxEpoch) {
		return false
	}
	for i := range a.Rooms {
		r := &a.Rooms[i]
		if r.Version > maxVersion || r.Born.Version > maxVersion {
			return false
		}
		for k := range r.Members {
			if r.Members[k].Since > maxVersion {
				return false
			}
		}
	}
	return true
}

// challenge notes that somebody has met a higher epoch than ours: we may not be the owner any more.
func (e *Engine) challenge(p *partition, epoch uint64) {
	e.opts.Metrics.challenges.Inc()
	e.log.Warn("a higher epoch exists", "partition", p.number, "epoch", p.epoch, "met", epoch)
	if !p.until.IsZero() {
		p.until = e.now
	}
	e.opts.Ownership.Challenge(p.number, epoch)
}

// handleResync hears what owners say to gateways: another owner of our partition has followed us.
func (e *Engine) handleResync(m *nats.Msg) {
	var r bus.Resync
	if err := r.Decode(m.Data); err != nil {
		e.malformed(m, err)
		return
	}
	if r.Partition < 0 {
		return
	}
	if p := e.partitions[r.Partition]; p != nil && r.Epoch > p.epoch && !chaosbreak.Fencing {
		e.challenge(p, r.Epoch)
	}
}

// take puts the parts together and deals with what is complete.
func (e *Engine) take(p *partition, part *bus.Announce, reply string) {
	a, ok := e.assemble(p, part)
	switch {
	case !ok:
		e.announceLater(reply, p.epoch)
	case a == nil: // more parts come
	case p.recovery == nil:
		e.compare(p, a, reply)
	case !a.Full:
		e.announceLater(reply, p.epoch)
	default:
		p.recovery.announced[a.Gateway] = heldAnnounce{a, reply, e.now}
		e.tryActivate(p)
	}
}

// assemble returns the whole announcement when its last part is here, and before that nil. It returns false if parts are
// missing.
func (e *Engine) assemble(p *partition, part *bus.Announce) (*bus.Announce, bool) {
	if part.Part == 0 && part.Last {
		delete(p.parts, part.Gateway)
		whole := *part
		return &whole, true
	}
	if part.Part == 0 {
		if p.parts == nil {
			p.parts = map[string]*assembly{}
		}
		p.parts[part.Gateway] = &assembly{announce: *part, next: 1, since: e.now}
		return nil, true
	}
	a := p.parts[part.Gateway]
	if a == nil || a.announce.Seq != part.Seq || a.next != part.Part || part.Part >= maxParts || e.now.Sub(a.since) > partsTimeout {
		delete(p.parts, part.Gateway)
		return nil, false
	}
	a.announce.Rooms = append(a.announce.Rooms, part.Rooms...)
	a.next++
	a.since = e.now
	if !part.Last {
		return nil, true
	}
	delete(p.parts, part.Gateway)
	return &a.announce, true
}

// compare applies an announcement and corrects the gateway.
func (e *Engine) compare(p *partition, a *bus.Announce, reply string) {
	events, corrections := p.rooms.Announce(a)
	e.counters.announces++
	e.publishEvents(p, events)
	for i := range corrections {
		e.correction = corrections[i]
		e.send(reply, &e.correction)
	}
	e.correction = bus.Correction{} // keeps no rosters alive
}

// announceLater asks the gateway to announce again in a moment.
func (e *Engine) announceLater(reply string, epoch uint64) {
	e.correction = bus.Correction{Retry: true, Last: true, Epoch: epoch}
	e.send(reply, &e.correction)
}
