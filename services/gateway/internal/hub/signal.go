package hub

import (
	"bytes"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/tracing"
)

// signal takes a signal of a session to its target: directly if the target is at this gateway, else over the link to its
// gateway.
func (p *partition) signal(r *replica, s *Session, c *client.Command, ref []byte, out *outbox) {
	m := p.h.m
	m.signalSize.Observe(float64(len(c.Data)))
	var sender *member
	if r != nil {
		sender = r.local(s)
	}
	if sender == nil {
		m.local[signalNotInRoom].Inc()
		out.answer(s, ref, &client.NotInRoom{Room: string(c.Room)})
		return
	}
	target := r.findBytes(c.TargetID)
	switch {
	case target == nil:
		m.local[signalTargetNotFound].Inc()
		out.answer(s, ref, &client.TargetNotFound{Room: r.name, TargetID: string(c.TargetID)})
	case r.returned > 0 || len(r.detours) > 0:
		r.follow(sender, target, s, c, ref, out)
	default:
		r.pass(sender, target, s, c, ref, out)
	}
}

// pass takes a signal of a session here to a member.
func (r *replica) pass(sender, target *member, s *Session, c *client.Command, ref []byte, out *outbox) {
	h := r.p.h
	switch {
	case target.session != nil:
		h.m.local[signalDelivered].Inc()
		r.signalled(sender, target, s.id, target.Client, c.Data)
		span := r.p.trace(c.Op, s, r.name, time.Time{})
		out.signal(target.session, r.name, s.id, c.Data)
		out.delivered(s, ref)
		span.End()
	case target.Gateway == h.id:
		if r.holdOwn(target, s, c, ref, out) {
			r.signalled(sender, target, s.id, target.Client, c.Data)
		}
	default:
		if r.send(target, s, ref, c.Data, r.p.trace(c.Op, s, r.name, time.Time{}), out) {
			r.signalled(sender, nil, s.id, target.Client, c.Data)
		}
	}
}

// holdOwn holds a signal of a session here. It returns false if it was refused.
func (r *replica) holdOwn(target *member, s *Session, c *client.Command, ref []byte, out *outbox) bool {
	held := heldSignal{sender: s, ref: bytes.Clone(ref), stamp: r.stamp, from: s.id, target: target.Client, data: c.Data}
	if !r.hold(held) {
		r.p.h.m.local[refusedSignal(unreachable)].Inc()
		out.answer(s, ref, unreachable)
		return false
	}
	return true
}

// send puts a signal of a session here into the line to its target's gateway. It returns false if it was refused.
func (r *replica) send(target *member, s *Session, ref, data []byte, span *tracing.Span, out *outbox) bool {
	h := r.p.h
	l := h.links.push(target.Gateway, &outgoing{r: r, session: s, ref: ref, target: target.Client, data: data, span: span})
	if l == nil {
		h.m.remote[refusedSignal(unreachable)].Inc()
		out.answer(s, ref, unreachable)
		return false
	}
	out.links = append(out.links, l)
	return true
}

var unreachable = &client.Error{Code: client.Unavailable, Message: "the target's gateway does not answer; try again"}

// delivered tells the sender that its signal has arrived, if it wants to know.
func (out *outbox) delivered(s *Session, ref []byte) {
	if ref != nil && !s.hasEnded() {
		s.conn.Delivered(ref)
		out.conns = append(out.conns, s.conn)
	}
}

// heldSignal is a signal that waits until this gateway knows as much of the room as its sender's did, or until its target
// has been told that it is a member.
type heldSignal struct {
	// A signal from here has a sender, one from another gateway a link and a number.
	sender *Session
	ref    []byte
	link   *incoming
	seq    uint64

	stamp        bus.Stamp
	from, target string
	data         []byte
	since        time.Time
	// notAt is the gateway that did not have the target, for a signal that came back.
	notAt string
}

const (
	// holdTime bounds how long a signal is held.
	holdTime = 2 * time.Second
	// maxHeld and maxHeldBytes bound what is held for a room: well below what a client's queue takes, because all of it may
	// be for one client. One signal is held whatever its size.
	maxHeld      = 256
	maxHeldBytes = 1 << 20
)

// hold keeps a signal until it can be settled, with data of its own. It returns false if too much is held.
func (r *replica) hold(s heldSignal) bool {
	if len(r.held) >= maxHeld || (len(r.held) > 0 && r.heldBytes+len(s.data) > maxHeldBytes) {
		return false
	}
	s.since, s.data = time.Now(), bytes.Clone(s.data)
	r.held = append(r.held, s)
	r.heldBytes += len(s.data)
	r.p.restless[r] = struct{}{}
	return true
}

// onSignal delivers a signal of another gateway that is next in its link's order. It returns false if the signal must come
// again, because too many are held.
func (p *partition) onSignal(in *incoming, sig *bus.Signal, out *outbox) bool {
	r := p.rooms[string(sig.Room)]
	if r == nil {
		p.h.m.received[receivedRefused].Inc()
		in.refuse(sig.Seq, false)
		return true
	}
	s := heldSignal{link: in, seq: sig.Seq, stamp: sig.Stamp, from: r.clientOf(sig.Sender), target: r.clientOf(sig.Target), data: sig.Data}
	if r.settle(&s, false, out) {
		return true
	}
	if !r.hold(s) {
		p.h.m.received[receivedOverflow].Inc()
		return false
	}
	in.holds(s.seq)
	return true
}

// settle delivers or refuses a signal, if it can be known which. The last try decides by what is known.
func (r *replica) settle(s *heldSignal, last bool, out *outbox) bool {
	unknown := r.stamp.Less(s.stamp)
	if !r.live {
		unknown = len(r.queues) > 0
	}
	if unknown && !last {
		return false
	}
	sender, target := r.find(s.from), r.find(s.target)
	switch {
	case target == nil || !r.live:
		r.refuse(s, false, out)
	case sender == nil:
		r.refuse(s, true, out)
	case s.sender != nil && r.p.h.Resumes():
		return r.settleOwn(s, target, last, out)
	case target.session != nil:
		out.signal(target.session, r.name, s.from, s.data)
		if s.sender != nil {
			r.p.h.m.local[signalDelivered].Inc()
			out.delivered(s.sender, s.ref)
		} else {
			r.p.h.m.received[receivedDelivered].Inc()
			r.signalled(nil, target, s.from, s.target, s.data)
			s.link.settled(s.seq)
		}
	case target.Gateway == r.p.h.id && (!last || r.comesOrGoes(s.target)):
		return false
	default:
		r.refuse(s, false, out)
	}
	return true
}

// refuse tells the sender that its signal was not delivered.
func (r *replica) refuse(s *heldSignal, senderGone bool, out *outbox) {
	if s.link != nil {
		r.p.h.m.received[receivedRefused].Inc()
		s.link.refuse(s.seq, senderGone)
		return
	}
	e := refusal(r.name, s.target, senderGone)
	r.p.h.m.local[refusedSignal(e)].Inc()
	if !s.sender.hasEnded() {
		out.answer(s.sender, s.ref, e)
	}
}

func refusal(room, target string, senderGone bool) client.Event {
	if senderGone {
		return &client.NotInRoom{Room: room}
	}
	return &client.TargetNotFound{Room: room, TargetID: target}
}

// settleHeld looks again at the held signals after the room has changed. Their order is kept.
func (r *replica) settleHeld(out *outbox) { r.settleHeldUntil(time.Time{}, out) }

// settleHeldUntil is settleHeld, and the last try for those that are held since before the given time.
func (r *replica) settleHeldUntil(since time.Time, out *outbox) {
	if len(r.held) == 0 {
		return
	}
	rest := r.held[:0]
	for i := range r.held {
		if s := &r.held[i]; !r.settle(s, s.since.Before(since), out) {
			rest = append(rest, *s)
		} else {
			r.heldBytes -= len(s.data)
		}
	}
	clear(r.held[len(rest):])
	r.held = rest
	r.count()
	if len(rest) == 0 {
		r.held = nil
	}
}
