package hub

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
)

// Reasons for which a session is not resumed. The client goes on with a new one.
var (
	errUsed   = &client.Error{Code: client.Unauthorized, Message: "the token was used before"}
	errNewer  = &client.Error{Code: client.Unauthorized, Message: "the session goes on elsewhere"} // or a token from the future
	errEnded  = &client.Error{Code: client.Unauthorized, Message: "the session has ended"}
	errWrong  = &client.Error{Code: client.Unauthorized, Message: "the token does not fit this connection"}
	errUnsure = errors.New("the session may be elsewhere")
	errBusy   = &client.Error{Code: client.Unavailable, Message: "the session cannot be resumed now"}
)

// resumption is what became of a client that came back.
type resumption int

const (
	resumedHere resumption = iota
	resumedMoved
	resumedFound
	resumptionUsed
	resumptionEnded
	resumptionWrong
	resumptionInvalid
	resumptionBusy
)

// resumptions are their names: the session was at this gateway, handed over by another one, or put together from what rooms
// know because its gateway is gone; or its token was used before, too old, another client's, no token; or it could not be
// known in time.
var resumptions = []string{"here", "moved", "found", "used", "ended", "mismatch", "invalid", "unavailable"}

// evictTime bounds how long a connection may take to end once another one has its session.
const evictTime = 2 * time.Second

// claimant is a connection that asks for a session.
type claimant struct {
	door, display string
	inc           uint64 // of its token
	received      uint64 // number of the last frame that the client has
	began         uint64 // when it asked, in ms since 1970
}

// Resumes reports whether sessions outlive their connections.
func (h *Hub) Resumes() bool { return h.cfg.Resume.Window > 0 }

// Tokens signs and checks tokens.
func (h *Hub) Tokens() *Resume { return &h.cfg.Resume }

// ConnectLink is Connect for a connection whose session may be resumed. Resumes must be true.
func (h *Hub) ConnectLink(id, display string, l Link) *Session {
	s := h.kept(id, display, l.Encoder())
	s.keep.link, s.keep.last = l, l
	h.enter(s)
	return s
}

// kept makes a session that outlives its connections.
func (h *Hub) kept(id, display string, enc Encoder) *Session {
	s := &Session{id: id, display: display, h: h, since: time.Now().Unix()}
	s.keep = &keeper{s: s, enc: enc, shown: h.outages.Load()}
	s.conn = s.keep
	return s
}

// Token is with what the session can be resumed, nil if it cannot be.
func (s *Session) Token() *Token {
	if s.keep == nil {
		return nil
	}
	s.keep.mu.Lock()
	defer s.keep.mu.Unlock()
	return &Token{Client: s.id, Gateway: s.h.id, Inc: s.keep.inc}
}

// Window is for how many milliseconds the session is kept without a connection.
func (s *Session) Window() uint64 {
	return uint64(s.h.cfg.Resume.Window / time.Millisecond) // #nosec G115 -- not negative
}

// Notify sends an event that answers nothing.
func (s *Session) Notify(e client.Event) {
	s.conn.Answer(nil, e)
	s.conn.Flush()
}

// Lost tells that a connection has ended without a word of the client that it has gone for good. The session is kept for
// the window. A session that cannot be resumed ends.
func (s *Session) Lost(l Link) {
	k := s.keep
	if k == nil {
		s.End()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.link == l && !k.gone {
		k.link = nil
		k.wait()
	}
}

// Gone tells that a connection has ended for good. It ends the session, unless that has another connection.
func (s *Session) Gone(l Link) {
	if s.keep == nil || s.keep.endIf(func() bool { return s.keep.link == l }) {
		s.End()
	}
}

// Resume finds the session of a token and gives it the connection: here, at the gateway that holds it, or, if that is gone,
// from what the rooms know. display is that of the connection: somebody else's session is not resumed. received is the number
// of the last frame that the client has. The call takes as long as it takes to know, at most resumeTime. use is called once it
// has the session, before anything is sent to the connection. Errors are for the client, and leave it as it was.
func (h *Hub) Resume(
	ctx context.Context, l Link, display string, t Token, received uint64, use func(*Session),
) (*Session, error) {
	c := &claimant{door: l.Encoder().Door(), display: display, inc: t.Inc, received: received, began: nowMillis()}
	ctx, cancel := context.WithTimeout(ctx, h.resumeTime())
	defer cancel()
	release, err := h.claim(ctx, t.Client)
	if err != nil {
		return nil, err
	}
	defer release()
	h.mu.Lock()
	s, closing := h.byID[t.Client], h.closing != 0
	h.mu.Unlock()
	if closing {
		return nil, errBusy
	}
	if s != nil {
		err = s.keep.attach(ctx, l, c, use)
		if err == nil {
			h.m.resumed[resumedHere].Inc()
			return s, nil
		}
		if !errors.Is(err, errNewer) && !errors.Is(err, errUnsure) {
			return nil, err
		}
		s.supersede("") // it has gone on at another gateway, which was not heard of here
	}
	return h.takeOver(ctx, l, t, c, errors.Is(err, errUnsure), use)
}

// resumeTime bounds how long it takes to find a session: as long as a gateway may take to hand it over, or to be taken to be
// gone, and the owners of the rooms to answer.
func (h *Hub) resumeTime() time.Duration { return takeTime + h.cfg.CommandTimeout }

// claim waits until nobody else resumes the client's session here or hands it over: a client that has lost its connection
// while it was being resumed comes again. It returns what is to be called at the end.
func (h *Hub) claim(ctx context.Context, id string) (release func(), err error) {
	mine := make(chan struct{})
	for {
		h.mu.Lock()
		other := h.claims[id]
		if other == nil {
			h.claims[id] = mine
		}
		h.mu.Unlock()
		if other == nil {
			break
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, errBusy
		case <-h.ctx.Done():
			return nil, errBusy
		}
	}
	return func() {
		h.mu.Lock()
		delete(h.claims, id)
		h.mu.Unlock()
		close(mine)
	}, nil
}

// seize takes the session's connection away, if it has one, for who brings a token that is good. It returns when nothing
// reaches the session any more.
func (k *keeper) seize(ctx context.Context, c *claimant) error {
	rooms := k.s.Rooms()
	k.mu.Lock()
	if err := k.admits(c, rooms); err != nil {
		k.mu.Unlock()
		return err
	}
	if c.door != k.enc.Door() || c.display != k.s.display || (c.inc >= k.anew && c.received > k.sent) {
		k.mu.Unlock()
		return errWrong
	}
	old := k.last
	k.link = nil
	k.handle++
	k.stopTimer()
	k.mu.Unlock()
	if old == nil {
		return nil
	}
	select {
	case <-old.Over():
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, evictTime)
	defer cancel()
	old.Cut()
	k.s.stopReading()
	select {
	case <-old.Over():
		return nil
	case <-ctx.Done():
		k.mu.Lock()
		defer k.mu.Unlock()
		if !k.gone {
			k.wait()
		}
		return errBusy
	}
}

// attach gives the session a new connection, which gets what the client does not have.
func (k *keeper) attach(ctx context.Context, l Link, c *claimant, use func(*Session)) error {
	if err := k.seize(ctx, c); err != nil {
		return err
	}
	s := k.s
	s.mu.Lock()
	s.closing = false
	s.mu.Unlock()
	missed, ok := k.join(l, c, false, s.roomNames(), use)
	if !ok {
		return errEnded
	}
	out := s.h.outbox()
	if missed {
		s.picture(out)
	}
	out.conns = append(out.conns, s.conn)
	out.release()
	return nil
}

// join makes l the connection, as the session's next incarnation, and sends it what is kept after the frames that the client
// has. It returns whether the client has missed something, be it that missed says so or that not all of it is kept; ok is
// false if the session has ended.
func (k *keeper) join(l Link, c *claimant, missed bool, rooms []string, use func(*Session)) (missedAny, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return false, false
	}
	use(k.s)
	k.link, k.last = l, l
	k.advance(c)
	received := c.received
	// A client that was told that it has missed something, and has lost that too, counts otherwise.
	if missed = missed || c.inc < k.anew || k.missed(received); missed {
		received, k.anew = k.sent, k.inc
	} else {
		rooms = []string{}
	}
	k.acked(received)
	l.Resumed(k.s, &client.Resumed{
		ClientID: k.s.id, Received: k.received, Seq: received, Missed: missed, Rooms: rooms, ResumeWindow: k.s.Window(),
	})
	for i := range k.kept {
		l.Send(k.kept[i].seq, k.kept[i].Frame)
	}
	l.Ask(k.mark())
	return missed, true
}

// advance makes the session's next incarnation, for who has asked. mu is held.
func (k *keeper) advance(c *claimant) {
	k.proven = max(k.proven, c.inc)
	k.inc, k.began = incarnation(k.inc, c.began), c.began
	k.shown = k.s.h.outages.Load()
}

// shelter keeps a session without a connection until its client takes it elsewhere: this gateway stops, and has got it all the
// same. missed says that the client has missed something.
func (k *keeper) shelter(c *claimant, missed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return
	}
	k.advance(c)
	if missed {
		k.anew = k.inc
	}
	k.wait()
}

// TokenNow is Token for Link.Resumed, which is called under the mutex.
func (s *Session) TokenNow() Token { return Token{Client: s.id, Gateway: s.h.id, Inc: s.keep.inc} }

// replicas are the rooms that the session has something to do with.
func (s *Session) replicas() []*replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rooms)
}

// roomNames are the rooms where the session is a member, those included that it is being moved in.
func (s *Session) roomNames() []string {
	names := []string{}
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		if r.local(s) != nil || r.moveOf(s) != nil {
			names = append(names, r.name)
		}
		r.p.mu.Unlock()
	}
	return names
}

// picture tells a client that has missed something who is in its rooms.
func (s *Session) picture(out *outbox) {
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		if r.local(s) != nil {
			out.answer(s, nil, r.picture(s.id))
		} else if m := r.moveOf(s); m != nil {
			m.told = nil // it is told all when the move is answered
		}
		r.p.mu.Unlock()
	}
}

// picture is the room as it is now, for a member that has missed something.
func (r *replica) picture(self string) *client.RoomJoined {
	e := &client.RoomJoined{
		Room: r.name, OwnerID: r.owner, Clients: make([]string, 0, len(r.members)), Options: stateOf(r.policy), Resumed: true,
	}
	for i := range r.members {
		list(e, &r.members[i].Member, self)
	}
	return e
}

// list adds a member to what one of them is told of the room, which does not name itself.
func list(e *client.RoomJoined, m *bus.Member, self string) {
	if m.Client == self {
		return
	}
	e.Clients = append(e.Clients, m.Client)
	if m.Display == "" {
		return
	}
	if e.Displays == nil {
		e.Displays = make(map[string]string)
	}
	e.Displays[m.Client] = m.Display
}

// ResumeError is what a client is told of an error of Resume or of Resume.Open. It is counted.
func (h *Hub) ResumeError(err error) *client.Error {
	e, n := errBusy, resumptionBusy
	switch {
	case errors.Is(err, ErrToken):
		e, n = &client.Error{Code: client.Unauthorized, Message: "the token is not valid"}, resumptionInvalid
	case errors.Is(err, errUsed), errors.Is(err, errNewer):
		e, n = errUsed, resumptionUsed
	case errors.Is(err, errEnded):
		e, n = errEnded, resumptionEnded
	case errors.Is(err, errWrong):
		e, n = errWrong, resumptionWrong
	}
	h.m.resumed[n].Inc()
	return e
}
