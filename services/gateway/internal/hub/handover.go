package hub

import (
	"context"
	"errors"
	"time"

	"signalling/api/bus"
)

const (
	// quietTime bounds how long a session that is handed over may wait for answers that are still to come.
	quietTime  = 2 * time.Second
	quietCheck = 2 * time.Millisecond
	// handedTime is how long the answer to a Take is kept for a repetition.
	handedTime = 10 * time.Second
	// maxHanded bounds the sessions of which is remembered to whom they were handed over.
	maxHanded = 1 << 17
	// takenBytes bounds a handover; frames beyond it, the oldest first, and rosters are left out.
	takenBytes = bus.MaxPartBytes
)

// takeKey is a Take: repetitions have the same.
type takeKey struct {
	gateway string
	seq     uint64
}

// handed is a session that was handed over: to whom, and for a while the answer. A client that has lost what came of that
// looks for its session here, for as long as a session is kept.
type handed struct {
	takeKey
	reply []byte
	at    time.Time
}

// onTake hands a session over to another gateway.
func (h *Hub) onTake(data []byte, out *outbox) {
	var t bus.Take
	if err := t.Decode(data); err != nil {
		h.log.Error("take not understood", "error", err)
		return
	}
	key := takeKey{t.Gateway, t.Seq}
	h.mu.Lock()
	_, again := h.giving[key]
	was := h.handed[t.Client]
	var reply []byte
	if was != nil && was.takeKey == key {
		reply = was.reply
	}
	begin := !again && reply == nil && !h.stopped
	if begin {
		h.giving[key] = struct{}{}
		h.wg.Go(func() { h.answerTake(&t, key) })
	}
	h.mu.Unlock()
	switch {
	case reply != nil:
		out.messages = append(out.messages, message{subject: bus.TakenSubject(t.Gateway, t.Seq), data: reply})
	case again:
		h.refuseTake(&t, &bus.Taken{Refused: bus.TakeWait}, out)
	}
}

func (h *Hub) refuseTake(t *bus.Take, m *bus.Taken, out *outbox) {
	m.Seq = t.Seq
	out.messages = append(out.messages, message{subject: bus.TakenSubject(t.Gateway, t.Seq), data: m.Append(nil)})
}

// answerTake hands the session over, or says why not.
func (h *Hub) answerTake(t *bus.Take, key takeKey) {
	out := h.outbox()
	defer out.release()
	ctx, cancel := context.WithTimeout(h.ctx, h.resumeTime())
	defer cancel()
	refused := h.handOver(ctx, t, key, out)
	h.mu.Lock()
	delete(h.giving, key)
	h.mu.Unlock()
	if refused != nil {
		h.refuseTake(t, refused, out)
	}
}

// handOver takes the session from its client's old connection, lets it come to rest, and sends it. Otherwise it returns the
// refusal.
func (h *Hub) handOver(ctx context.Context, t *bus.Take, key takeKey, out *outbox) *bus.Taken {
	release, err := h.claim(ctx, t.Client)
	if err != nil {
		return &bus.Taken{Refused: bus.TakeBusy}
	}
	defer release()
	h.mu.Lock()
	s, was := h.byID[t.Client], h.handed[t.Client]
	h.mu.Unlock()
	switch {
	case s != nil:
	case was != nil:
		return &bus.Taken{Refused: bus.TakeMoved, To: was.gateway}
	default:
		return &bus.Taken{Refused: bus.TakeUnknown}
	}
	if err := s.keep.seize(ctx, claimantOf(t)); err != nil {
		return &bus.Taken{Refused: takeRefusal(err)}
	}
	s.quiet()
	m := s.give(t, out)
	reply := m.Append(nil)
	h.remember(t.Client, &handed{key, reply, time.Now()})
	out.messages = append(out.messages, message{subject: bus.TakenSubject(t.Gateway, t.Seq), data: reply})
	h.log.Info("session handed over", "client", s.id, "to", t.Gateway, "rooms", len(m.Rooms), "frames", len(m.Frames))
	return nil
}

// claimantOf is who asks by a Take.
func claimantOf(t *bus.Take) *claimant {
	c := &claimant{door: t.Door, display: t.Display, inc: t.Inc, received: t.Received, began: t.Began}
	if c.began == 0 {
		c.began = nowMillis()
	}
	return c
}

// takeRefusal is how another gateway is told of an error.
func takeRefusal(err error) string {
	switch {
	case errors.Is(err, errEnded):
		return bus.TakeUnknown
	case errors.Is(err, errWrong):
		return bus.TakeWrong
	case errors.Is(err, errUnsure):
		return bus.TakeUnsure
	case errors.Is(err, errBusy):
		return bus.TakeBusy
	}
	return bus.TakeUsed
}

// quiet waits until all that the client has sent is answered or delivered, for a bounded time: then its later commands,
// which reach another gateway, cannot overtake it.
func (s *Session) quiet() {
	every := time.NewTicker(quietCheck)
	defer every.Stop()
	for end := time.Now().Add(quietTime); s.busy() && time.Now().Before(end); {
		select {
		case <-every.C:
		case <-s.h.ctx.Done():
			return
		}
	}
}

func (s *Session) busy() bool {
	s.mu.Lock()
	pending := s.pending
	s.mu.Unlock()
	return pending > 0 || s.h.links.owes(s) || s.holds()
}

// holds reports whether signals of the session wait here.
func (s *Session) holds() bool {
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		for i := range r.held {
			if r.held[i].sender == s {
				r.p.mu.Unlock()
				return true
			}
		}
		r.p.mu.Unlock()
	}
	return false
}

// give ends the session here and returns it as another gateway needs it.
func (s *Session) give(t *bus.Take, out *outbox) *bus.Taken {
	m := &bus.Taken{Seq: t.Seq, Display: s.display, Rooms: s.part(out)}
	k := s.keep
	k.mu.Lock()
	m.Inc, m.Commands, m.Sent = k.inc, k.received, k.sent
	if m.Missed = t.Inc < k.anew || k.missed(t.Received); !m.Missed {
		k.acked(t.Received)
	}
	size := 0
	for i := len(k.kept) - 1; i >= 0 && !m.Missed; i-- {
		if size += k.kept[i].size(); size > takenBytes {
			m.Missed = true
		}
	}
	if !m.Missed {
		for i := range k.kept {
			f := &k.kept[i]
			m.Frames = append(m.Frames, append(bus.Frame{f.Text}, f.Attachments...))
		}
	}
	k.mu.Unlock()
	for i := range m.Rooms {
		r := &m.Rooms[i]
		size += r.Policy.MaxSize()
		for _, c := range r.Clients {
			size += memberBytes + len(c)
		}
		if m.Missed || size > takenBytes {
			r.Known, r.Clients, r.Policy = false, nil, nil
		}
	}
	s.End()
	return m
}

// remember notes where a session has gone.
func (h *Hub) remember(client string, x *handed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.handed[client] != nil || len(h.handed) < maxHanded {
		h.handed[client] = x
	}
}

// handedTo returns the gateway that a client's session was handed over to, "" if none is known.
func (h *Hub) handedTo(client string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.handed[client]; x != nil {
		return x.gateway
	}
	return ""
}

// sweepHanded forgets answers that nobody asks for again, and sessions that nobody comes back to.
func (h *Hub) sweepHanded(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, x := range h.handed {
		switch age := now.Sub(x.at); {
		case age > handedTime+h.cfg.Resume.Window:
			delete(h.handed, id)
		case age > handedTime:
			x.reply = nil
		}
	}
}
