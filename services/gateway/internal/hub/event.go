package hub

import (
	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// onEvent applies an event of a room to its replica: the next one is applied, an older one is dropped, anything else shows
// that something was missed.
func (h *Hub) onEvent(m *nats.Msg, out *outbox) {
	var e bus.Event
	if err := e.Decode(m.Data); err != nil {
		h.log.Error("event not understood", "error", err)
		return
	}
	p := partitionOf(h, e.Room)
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[e.Room]
	if !p.meet(e.Epoch) || r == nil {
		return
	}
	if !r.live {
		if e.Kind == bus.Closed && r.ended.Less(e.Stamp) {
			r.ended = e.Stamp
		}
		return
	}
	switch {
	case e.Epoch == r.stamp.Epoch && e.Version == r.stamp.Version+1:
		span := h.trace.Continue(m, "event")
		span.Set("event", string(e.Kind))
		span.Set("room", e.Room)
		defer span.End()
		r.advance(e.Stamp)
		r.apply(&e, out)
		r.release(out)
	case r.stamp.Less(e.Stamp):
		r.repair(causeGap, out)
	}
}

func (r *replica) apply(e *bus.Event, out *outbox) {
	switch e.Kind {
	case bus.Joined:
		if r.indexOf(e.Client) < 0 {
			r.joined(bus.Member{
				Client: e.Client, Gateway: r.p.h.intern(e.Gateway), Since: e.Version, Seq: e.Seq, Display: e.Display,
			}, out)
		}
	case bus.Left:
		if i := r.indexOf(e.Client); i >= 0 {
			r.left(i, out)
		}
	case bus.Moved:
		if m := r.find(e.Client); m != nil {
			to := m.Member
			to.Gateway, to.Seq, to.Inc = r.p.h.intern(e.Gateway), e.Seq, e.Inc
			r.relocate(m, to, e.Dead, out)
		}
	case bus.Closed:
		r.end(e.Stamp, e.Client, out)
		return
	case bus.Updated, bus.Owned:
	}
	r.govern(e.Owner, e.Policy, out)
	r.settleHeld(out)
}
