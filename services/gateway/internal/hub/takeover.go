package hub

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/chaosbreak"
)

const (
	// takeAgain is how long the answer to a Take may take before it is asked again, and takeGone how long "no responders" must
	// last to be believed.
	takeAgain = 500 * time.Millisecond
	takeGone  = 100 * time.Millisecond
	// takeTime is after what silence a gateway is taken to be gone.
	takeTime = 2500 * time.Millisecond
	// maxHops bounds the gateways that are asked for one session.
	maxHops = 8
)

var (
	// errNobody says that a gateway is gone.
	errNobody = errors.New("nobody listens as the gateway")
	// errSilent says that a gateway is taken to be gone, and may only be out of reach.
	errSilent = errors.New("the gateway does not answer")
)

// take asks a gateway for a session until it answers or, with errNobody or errSilent, is taken to be gone.
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
				return nil, errSilent
			}
			h.publish(bus.TakeSubject(gateway), bus.TakenSubject(h.id, t.Seq), request)
			again.Reset(takeAgain)
		case m := <-answers:
			if !noResponders(m) {
				taken := new(bus.Taken)
				if err := taken.Decode(m.Data); err != nil {
					return nil, err
				}
				if taken.Refused != bus.TakeWait {
					return taken, nil
				}
				start = time.Now()
				continue
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

// pursuit is the search for a session: from the gateway that the token names to the one that has it.
type pursuit struct {
	h       *Hub
	t       Token
	by      *claimant
	silent  bool            // one that was asked has not answered
	unsure  bool            // this gateway has had it, and may have missed where it went
	without map[string]bool // gateways that do not have it, and whether they are gone
}

// takeOver resumes a session that another gateway holds or held.
func (h *Hub) takeOver(
	ctx context.Context, l Link, t Token, by *claimant, unsure bool, use func(*Session),
) (*Session, error) {
	p := pursuit{h: h, t: t, by: by, unsure: unsure, without: make(map[string]bool)}
	taken, err := p.run(ctx)
	if err != nil {
		return nil, err
	}
	return h.receive(l, t, taken, by, use)
}

// run follows the session.
func (p *pursuit) run(ctx context.Context) (*bus.Taken, error) {
	at := p.t.Gateway
	for range maxHops {
		taken, next, err := p.ask(ctx, at)
		if err != nil || taken != nil {
			return taken, err
		}
		if _, asked := p.without[next]; next == "" || asked {
			if taken, next, err = p.find(ctx); err != nil || taken != nil {
				return taken, err
			}
		}
		at = next
	}
	return nil, errBusy
}

// ask asks a gateway for the session. If it does not have it, it may know who has.
func (p *pursuit) ask(ctx context.Context, at string) (taken *bus.Taken, next string, err error) {
	first := len(p.without) == 0
	p.without[at] = false
	if at == p.h.id {
		if next = p.h.handedTo(p.t.Client); next == "" && first && !p.unsure {
			err = errEnded
		}
		return nil, next, err
	}
	taken, err = p.h.take(ctx, &bus.Take{
		Gateway: p.h.id, Client: p.t.Client, Inc: p.t.Inc, Received: p.by.received, Door: p.by.door, Display: p.by.display,
		Began: p.by.began,
	}, at)
	switch {
	case errors.Is(err, errNobody), errors.Is(err, errSilent):
		p.without[at], p.silent = true, p.silent || errors.Is(err, errSilent)
		return nil, "", nil
	case err != nil:
		return nil, "", err
	case taken.Refused == "":
		for i := range taken.Rooms {
			if r := &taken.Rooms[i]; r.From == "" {
				r.From = at
			}
		}
		return taken, "", nil
	case taken.Refused == bus.TakeMoved:
		return nil, taken.To, nil
	case taken.Refused == bus.TakeUnknown && !first, taken.Refused == bus.TakeUnsure:
		return nil, "", nil // it was to have it, and has not got it, or does not know
	}
	return nil, "", refusedTake(taken.Refused)
}

// refusedTake is the error for the client.
func refusedTake(why string) error {
	switch why {
	case bus.TakeUsed:
		return errUsed
	case bus.TakeWrong:
		return errWrong
	case bus.TakeBusy:
		return errBusy
	}
	return errEnded
}

// find looks where the owners of the rooms have the client. If that is a gateway that was not asked yet, it is the next;
// otherwise it is gone, and the session is made of what the rooms know. What was sent to it last is lost.
func (p *pursuit) find(ctx context.Context) (taken *bus.Taken, next string, err error) {
	found, err := p.h.find(ctx, p.t.Client)
	if err != nil {
		return nil, "", err
	}
	taken = &bus.Taken{Inc: p.t.Inc, Sent: p.by.received, Missed: true, Display: p.by.display}
	for _, x := range found {
		switch {
		case x.Proven > p.t.Inc && !chaosbreak.Replay:
			return nil, "", errUsed
		case x.Inc > p.t.Inc && x.Inc > p.by.began && !chaosbreak.Latest:
			return nil, "", errBusy // the client has asked again since
		case x.Display != p.by.display:
			return nil, "", errWrong
		}
		gone, asked := p.without[x.Gateway]
		if !asked && x.Gateway != p.h.id {
			next = x.Gateway
		}
		taken.Inc = max(taken.Inc, x.Inc)
		taken.Rooms = append(taken.Rooms, bus.TakenRoom{Room: x.Room, From: x.Gateway, Dead: gone})
	}
	switch {
	case len(found) == 0 && p.silent:
		return nil, "", errBusy // it may be there, in no room
	case len(found) == 0:
		return nil, "", errEnded
	case next != "":
		return nil, next, nil
	}
	return taken, "", nil
}

// receive makes the session here and moves the client in its rooms.
func (h *Hub) receive(l Link, t Token, taken *bus.Taken, by *claimant, use func(*Session)) (*Session, error) {
	s := h.kept(t.Client, taken.Display, l.Encoder())
	k := s.keep
	k.inc, k.sent, k.received = max(t.Inc, taken.Inc), taken.Sent, taken.Commands
	if !taken.Missed {
		k.sent -= uint64(len(taken.Frames))
		for _, f := range taken.Frames {
			k.sent++
			k.keep(Frame{Text: f[0], Attachments: f[1:]})
		}
	}
	out := h.outbox()
	if !h.enter(s) {
		k.shelter(by, taken.Missed)
		for i := range taken.Rooms {
			s.bring(&taken.Rooms[i], out)
		}
		out.release()
		return nil, errBusy
	}
	rooms := []string{}
	for i := range taken.Rooms {
		rooms = append(rooms, taken.Rooms[i].Room)
	}
	missed, ok := k.join(l, by, taken.Missed, rooms, use)
	if !ok {
		out.release()
		return nil, errEnded
	}
	dead := false
	for i := range taken.Rooms {
		r := &taken.Rooms[i]
		r.Known = r.Known && !missed
		dead = dead || r.Dead
		s.bring(r, out)
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
func (s *Session) bring(room *bus.TakenRoom, out *outbox) {
	m := &moving{client: s.id, from: room.From, dead: room.Dead, session: s}
	m.inc, m.proven = s.incs()
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
