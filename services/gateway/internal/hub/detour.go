package hub

import (
	"slices"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
)

// A member whose session is resumed at another gateway is found elsewhere from one moment to the next. Signals that were
// sent to where it was come back as refused. They are sent on when it is known where it is, and those that follow wait
// behind them, so that each arrives once and in order.

// detour is where signals for a member are still on their way to.
type detour struct {
	gateway string
	upTo    uint64 // number of the last one
	until   time.Time
}

// detourTime bounds how long signals on their way are waited for: after that the gateway is taken to be gone. One that lives may
// have delivered a signal and acknowledge it only after holdTime, because it holds one from before it; and its word may have
// to be asked for again. To give up sooner would be to deliver it twice.
const detourTime = 3 * holdTime

// redirect makes signals for a member that has moved wait until those that are on their way to its former gateway are
// settled. If that gateway is gone they are sent again.
func (r *replica) redirect(id, from string, dead bool) {
	l := r.p.h.links.existing(from)
	if l == nil {
		return
	}
	if dead {
		r.giveBack(id, from, l.recall(r.name, id))
		delete(r.detours, id)
		return
	}
	if upTo := l.lastFor(r.name, id); upTo > 0 {
		if r.detours == nil {
			r.detours = make(map[string]detour, 1)
		}
		r.detours[id] = detour{from, upTo, time.Now().Add(detourTime)}
		r.p.restless[r] = struct{}{}
	}
}

// follow takes a signal to a member while others may be on a detour: behind those for the same member.
func (r *replica) follow(sender, target *member, s *Session, c *client.Command, ref []byte, out *outbox) {
	_, detour := r.detours[target.Client]
	if detour || r.waits(target.Client) {
		r.holdOwn(target, s, c, ref, out)
		return
	}
	r.pass(sender, target, s, c, ref, out)
}

// waits reports whether signals of sessions here wait for the member.
func (r *replica) waits(id string) bool {
	return slices.ContainsFunc(r.held, func(s heldSignal) bool { return s.sender != nil && s.target == id })
}

// settleOwn is settle for a signal of a session here.
func (r *replica) settleOwn(s *heldSignal, target *member, last bool, out *outbox) bool {
	_, detour := r.detours[s.target]
	switch {
	case detour:
		return false
	case target.session != nil:
		r.p.h.m.local[signalDelivered].Inc()
		out.signal(target.session, r.name, s.from, s.data)
		out.delivered(s.sender, s.ref)
	case target.Gateway == r.p.h.id:
		if !last || r.comesOrGoes(s.target) {
			return false
		}
		r.refuse(s, false, out)
	case target.Gateway == s.notAt && !last:
		return false
	case target.Gateway == s.notAt:
		r.refuse(s, false, out)
	default:
		r.send(target, s.sender, s.ref, s.data, nil, out)
	}
	return true
}

// comesOrGoes says that a member without a session here is on its way, from or to here.
func (r *replica) comesOrGoes(id string) bool {
	_, parting := r.parting[id]
	return parting || r.arriving(id)
}

// giveBack puts signals that have to be sent again in front of those that wait for the same member, behind those that came
// back before.
func (r *replica) giveBack(id, notAt string, back []unacked) {
	at := 0
	for i := range r.held {
		if r.held[i].target == id && r.held[i].notAt != "" {
			at = i + 1
		}
	}
	now := time.Now()
	for i := range back {
		u := &back[i]
		var sig bus.Signal
		if sig.Decode(u.message) != nil {
			continue
		}
		s := heldSignal{
			sender: u.session, ref: u.ref, stamp: sig.Stamp, from: string(sig.Sender), target: id,
			data: slices.Clone(sig.Data), since: now, notAt: notAt,
		}
		r.held = slices.Insert(r.held, at, s)
		r.heldBytes += len(s.data)
		at++
	}
	if len(back) > 0 {
		r.p.restless[r] = struct{}{}
	}
	r.count()
}

// count counts the held signals that came back.
func (r *replica) count() {
	r.returned = 0
	for i := range r.held {
		if r.held[i].notAt != "" {
			r.returned++
		}
	}
}

// sweepDetours gives up waiting for signals on their way to a gateway that does not answer.
func (r *replica) sweepDetours(now time.Time, out *outbox) {
	for id, d := range r.detours {
		if now.After(d.until) {
			r.redirect(id, d.gateway, true)
			r.settleHeld(out)
		}
	}
}

// cameBack takes a signal that a gateway did not deliver, because its target is not there. It returns false if the target
// is nowhere.
func (h *Hub) cameBack(u *unacked, gateway string, out *outbox) bool {
	var s bus.Signal
	if s.Decode(u.message) != nil {
		return false
	}
	p := partitionOf(h, s.Room)
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[string(s.Room)]
	if r == nil || !r.live {
		return false
	}
	target := r.findBytes(s.Target)
	if target == nil {
		return false
	}
	r.giveBack(target.Client, gateway, []unacked{*u})
	r.settleHeld(out)
	return true
}

// arrived ends the detours on which nothing is any more: all signals up to a number are settled.
func (h *Hub) arrived(l *link, upTo uint64, out *outbox) {
	l.mu.Lock()
	before, left := l.detours, 0
	l.mu.Unlock()
	for n := range h.parts {
		p := &h.parts[n]
		p.mu.Lock()
		for r := range p.restless {
			for id, d := range r.detours {
				switch {
				case d.gateway != l.gw:
				case d.upTo > upTo:
					left++
				default:
					delete(r.detours, id)
					r.settleHeld(out)
				}
			}
		}
		p.mu.Unlock()
	}
	l.mu.Lock()
	if left == 0 && l.detours == before {
		l.detours = 0
	}
	l.mu.Unlock()
}

// existing returns the link to a gateway, nil if there is none.
func (ls *links) existing(gw string) *link {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.out[gw]
}

// owes reports whether signals of the session are on their way.
func (ls *links) owes(s *Session) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.out {
		l.mu.Lock()
		owes := slices.ContainsFunc(l.unacked, func(u unacked) bool { return u.session == s })
		l.mu.Unlock()
		if owes {
			return true
		}
	}
	return false
}

// concerns reports whether the signal is for a member of a room.
func (u *unacked) concerns(room, target string) bool {
	var s bus.Signal
	return s.Decode(u.message) == nil && string(s.Room) == room && string(s.Target) == target
}

// lastFor is the number of the last signal on its way to a member, 0 if there is none.
func (l *link) lastFor(room, target string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.unacked) - 1; i >= 0; i-- {
		if l.unacked[i].concerns(room, target) {
			l.detours++
			return l.unacked[i].seq
		}
	}
	return 0
}

// recall takes back the signals on their way to a member.
func (l *link) recall(room, target string) (back []unacked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unacked = slices.DeleteFunc(l.unacked, func(u unacked) bool {
		if !u.concerns(room, target) {
			return false
		}
		l.bytes -= len(u.message)
		back = append(back, u)
		return true
	})
	return back
}
