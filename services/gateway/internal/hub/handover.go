package hub

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/client"
)

const (
	// takeAgain is how long the answer to a Take may take before it is asked again, and takeGone how long "no responders" must
	// last to be believed.
	takeAgain = 500 * time.Millisecond
	takeGone  = 100 * time.Millisecond
	// takeTime is after what silence a gateway is taken to be gone.
	takeTime = 2500 * time.Millisecond
	// quietTime bounds how long a session that is handed over may wait for answers that are still to come.
	quietTime  = 2 * time.Second
	quietCheck = 2 * time.Millisecond
	// handedTime is how long the answer to a Take is kept for a repetition.
	handedTime = 10 * time.Second
	// takenBytes bounds a handover; frames beyond it, the oldest first, and rosters are left out.
	takenBytes = bus.MaxPartBytes
)

// handed is a session that was handed over, or is about to be: then reply is nil.
type handed struct {
	gateway string
	inc     uint64
	reply   []byte
	at      time.Time
}

// onTake hands a session over to another gateway.
func (h *Hub) onTake(data []byte, out *outbox) {
	var t bus.Take
	if err := t.Decode(data); err != nil {
		h.log.Error("take not understood", "error", err)
		return
	}
	h.mu.Lock()
	s, was := h.byID[t.Client], h.handed[t.Client]
	again := was != nil && was.gateway == t.Gateway && was.inc == t.Inc
	begin := !again && s != nil && !h.stopped
	if begin {
		h.handed[t.Client] = &handed{gateway: t.Gateway, inc: t.Inc, at: time.Now()}
		h.wg.Go(func() { h.handOver(s, &t, was) })
	}
	var reply []byte
	if again {
		reply = was.reply
	}
	h.mu.Unlock()
	switch {
	case reply != nil:
		out.messages = append(out.messages, message{subject: bus.TakenSubject(t.Gateway, t.Seq), data: reply})
	case again || begin: // the answer comes
	default:
		refused := bus.TakeUnknown
		if was != nil {
			refused = bus.TakeUsed
		}
		h.refuseTake(&t, refused, out)
	}
}

func (h *Hub) refuseTake(t *bus.Take, why string, out *outbox) {
	m := bus.Taken{Seq: t.Seq, Refused: why}
	out.messages = append(out.messages, message{subject: bus.TakenSubject(t.Gateway, t.Seq), data: m.Append(nil)})
}

// handOver takes the session from its client's old connection, lets it come to rest, and sends it.
func (h *Hub) handOver(s *Session, t *bus.Take, was *handed) {
	out := h.outbox()
	defer out.release()
	ctx, cancel := context.WithTimeout(h.ctx, quietTime+evictTime)
	defer cancel()
	if err := s.keep.seize(ctx, t.Door, t.Inc, t.Received); err != nil {
		h.mu.Lock()
		if delete(h.handed, t.Client); was != nil {
			h.handed[t.Client] = was
		}
		h.mu.Unlock()
		why := bus.TakeUsed
		switch {
		case errors.Is(err, errEnded):
			why = bus.TakeUnknown
		case errors.Is(err, errWrong):
			why = bus.TakeWrong
		}
		h.refuseTake(t, why, out)
		return
	}
	s.quiet()
	m := s.give(t)
	reply := m.Append(nil)
	h.mu.Lock()
	h.handed[t.Client] = &handed{gateway: t.Gateway, inc: t.Inc, reply: reply, at: time.Now()}
	h.mu.Unlock()
	out.messages = append(out.messages, message{subject: bus.TakenSubject(t.Gateway, t.Seq), data: reply})
	h.log.Info("session handed over", "client", s.id, "to", t.Gateway, "rooms", len(m.Rooms), "frames", len(m.Frames))
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
func (s *Session) give(t *bus.Take) *bus.Taken {
	m := &bus.Taken{Seq: t.Seq, Rooms: s.part()}
	k := s.keep
	k.mu.Lock()
	m.Commands, m.Sent, m.Missed = k.received, k.sent, k.missed(t.Received)
	k.acked(t.Received)
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

// errNobody says that a gateway does not answer.
var errNobody = errors.New("the gateway does not answer")

// take asks a gateway for a session until it answers or, with errNobody, is taken to be gone.
func (h *Hub) take(ctx context.Context, t *bus.Take, gateway string) (*bus.Taken, error) {
	answers := make(chan *nats.Msg, 4)
	h.mu.Lock()
	h.takes++
	t.Seq = h.takes
	h.taking[t.Seq] = answers
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.taking, t.Seq)
		h.mu.Unlock()
	}()
	request := t.Append(nil)
	var refused time.Time
	again := time.NewTimer(0)
	defer again.Stop()
	for start := time.Now(); ; {
		select {
		case <-again.C:
			if time.Since(start) > takeTime {
				return nil, errNobody
			}
			h.publish(bus.TakeSubject(gateway), bus.TakenSubject(h.id, t.Seq), request)
			again.Reset(takeAgain)
		case m := <-answers:
			if !noResponders(m) {
				taken := new(bus.Taken)
				if err := taken.Decode(m.Data); err != nil {
					return nil, err
				}
				return taken, nil
			}
			if refused.IsZero() {
				refused = time.Now()
			} else if time.Since(refused) >= takeGone {
				return nil, errNobody
			}
			again.Reset(takeGone)
		case <-ctx.Done():
			return nil, errBusy
		case <-h.ctx.Done():
			return nil, errBusy
		}
	}
}

// onTaken gives an answer to who waits for it.
func (h *Hub) onTaken(rest string, m *nats.Msg) {
	seq, _ := bus.AnswerSeq(rest)
	h.mu.Lock()
	answers := h.taking[seq]
	h.mu.Unlock()
	select {
	case answers <- m:
	default: // nobody waits, or not for so many
	}
}

// takeOver resumes a session that another gateway holds or held.
func (h *Hub) takeOver(ctx context.Context, l Link, t Token, received uint64, use func(*Session)) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, takeTime+h.cfg.CommandTimeout)
	defer cancel()
	taken, err := h.take(ctx, &bus.Take{
		Gateway: h.id, Client: t.Client, Inc: t.Inc, Received: received, Door: l.Encoder().Door(),
	}, t.Gateway)
	dead := errors.Is(err, errNobody)
	if dead {
		taken, err = h.findRooms(ctx, t, received)
	}
	switch {
	case err != nil:
		return nil, err
	case taken.Refused == bus.TakeUsed:
		return nil, errUsed
	case taken.Refused == bus.TakeWrong:
		return nil, errWrong
	case taken.Refused != "":
		return nil, errEnded
	}
	return h.receive(l, t, taken, received, dead, use)
}

// receive makes the session here and moves the client in its rooms.
func (h *Hub) receive(
	l Link, t Token, taken *bus.Taken, received uint64, dead bool, use func(*Session),
) (*Session, error) {
	s := h.kept(t.Client, l.Encoder())
	k := s.keep
	k.inc, k.sent, k.received = t.Inc+1, taken.Sent, taken.Commands
	if !taken.Missed {
		k.sent -= uint64(len(taken.Frames))
		for _, f := range taken.Frames {
			k.sent++
			k.keep(Frame{Text: f[0], Attachments: f[1:]})
		}
	}
	if !h.enter(s) {
		k.end()
		return nil, errBusy
	}
	rooms := []string{}
	for i := range taken.Rooms {
		rooms = append(rooms, taken.Rooms[i].Room)
	}
	missed, ok := k.join(l, received, taken.Missed, rooms, use)
	if !ok {
		return nil, errEnded
	}
	out := h.outbox()
	for i := range taken.Rooms {
		taken.Rooms[i].Known = taken.Rooms[i].Known && !missed
		s.bring(&taken.Rooms[i], t, dead, out)
	}
	out.conns = append(out.conns, s.conn)
	out.release()
	if dead {
		h.m.resumed[resumedFound].Inc()
	} else {
		h.m.resumed[resumedMoved].Inc()
	}
	h.log.Info("session taken over", "client", s.id, "from", t.Gateway, "dead", dead, "rooms", len(taken.Rooms),
		"frames", len(taken.Frames), "missed", missed)
	return s, nil
}

// bring moves the session's client in a room.
func (s *Session) bring(room *bus.TakenRoom, t Token, dead bool, out *outbox) {
	m := &moving{client: s.id, inc: t.Inc + 1, from: t.Gateway, dead: dead, session: s}
	if room.Known {
		m.told = room
	}
	p := partitionOf(s.h, room.Room)
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.replica(room.Room)
	if err != nil || !s.remember(r) {
		out.event(s, &client.RoomLeft{Room: room.Room, Kicked: true})
		return
	}
	s.took()
	p.move(r, m, out)
}

// sweepHanded forgets answers that nobody asks for again.
func (h *Hub) sweepHanded(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, x := range h.handed {
		if now.Sub(x.at) > handedTime {
			delete(h.handed, id)
		}
	}
}
