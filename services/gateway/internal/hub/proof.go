package hub

import (
	"time"

	"signalling/pkg/chaosbreak"
)

// A client that resumes its session gets a new token with the answer, and that answer can be lost. So the tokens from
// before stay good until the client has shown that it has the new one: by the pong to a ping that was sent behind it, by a
// command, or by coming back with it. From then on those are worth nothing, here and, because the owners of the session's
// rooms are told so, anywhere else.

// A client asks on one connection after the other, and gives up those before. What it asked on one of them can take long: the
// gateway had to find out that another one is gone, or stood still itself. So what counts is not which of them gets the session
// first, but which has asked last. That one has it, and none before it takes it away.

// incarnation follows another one, for who has asked at a time. That it grows with that time decides between two gateways of
// which neither has heard of the other.
func incarnation(after, began uint64) uint64 {
	if chaosbreak.Latest {
		began = nowMillis()
	}
	return max(after+1, began)
}

func nowMillis() uint64 { return uint64(time.Now().UnixMilli()) } // #nosec G115 -- the clock is past 1970

// Mark is what a client shows with the answer to a ping.
type Mark struct {
	// Inc is the incarnation of the session when the ping was sent, Sent the number of the newest frame.
	Inc, Sent uint64
}

// Mark is the present one.
func (s *Session) Mark() Mark {
	s.keep.mu.Lock()
	defer s.keep.mu.Unlock()
	return s.keep.mark()
}

// mark is Session.Mark. mu is held.
func (k *keeper) mark() Mark { return Mark{k.inc, k.sent} }

// Acked notes that the client has all that was sent up to a mark. A door's reading goroutine calls it.
func (s *Session) Acked(m Mark) {
	k := s.keep
	k.mu.Lock()
	if m.Inc > k.inc {
		k.mu.Unlock()
		return
	}
	if m.Inc >= k.anew {
		k.acked(m.Sent)
	}
	news := k.prove(m.Inc)
	k.shown = s.h.outages.Load()
	k.mu.Unlock()
	if news {
		s.tellProof()
	}
}

// Took counts a command that has arrived, whatever is wrong with it. answers says that it was sent by a client that has the
// answer to its resume, if it sent one.
func (s *Session) Took(answers bool) {
	k := s.keep
	if k == nil {
		return
	}
	k.mu.Lock()
	k.received++
	k.shown = s.h.outages.Load()
	news := answers && k.prove(k.inc)
	k.mu.Unlock()
	if news {
		s.tellProof()
	}
}

// prove notes that the client has the token of an incarnation, and reports whether that is news. mu is held.
func (k *keeper) prove(inc uint64) bool {
	if k.gone || inc <= k.proven {
		return false
	}
	k.proven = inc
	return true
}

// admits looks whether a token is still good, and nobody who asked later has the session, which is in so many rooms. mu is held.
func (k *keeper) admits(c *claimant, rooms int) error {
	switch {
	case k.gone:
		return errEnded
	case c.inc < k.proven && !chaosbreak.Replay:
		return errUsed
	case c.inc > k.inc:
		return errNewer
	case c.inc < k.inc && c.began < k.began && !chaosbreak.Latest:
		return errBusy // not for good: clocks differ, and it may be the client that asks
	case k.yielded:
		return errUnsure
	case k.shown != k.s.h.outages.Load() && rooms == 0:
		// It may have been taken to be gone with this gateway, and no owner of a room would object.
		return errUnsure
	}
	return nil
}

// incs are the incarnation and the oldest one whose token is good.
func (k *keeper) incs() (inc, proven uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.inc, k.proven
}

// incs are those of the session, 0 if it cannot be resumed.
func (s *Session) incs() (inc, proven uint64) {
	if s.keep == nil {
		return 0, 0
	}
	return s.keep.incs()
}

// tellProof tells the owners of the session's rooms which tokens are good, behind the commands that came before.
func (s *Session) tellProof() {
	out := s.outbox()
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		if m := r.local(s); m != nil {
			r.renew(m, out)
		}
		r.p.mu.Unlock()
	}
	s.Flush()
}

// renew tells the owner of the room the incarnations of a member here.
func (r *replica) renew(m *member, out *outbox) {
	m.Inc, m.Proven = m.session.incs()
	r.p.move(r, &moving{client: m.Client, inc: m.Inc, proven: m.Proven, from: r.p.h.id}, out)
}
