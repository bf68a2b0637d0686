package hub

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalling/api/client"
)

// Reasons for which a session is not resumed. The client goes on with a new one.
var (
	errUsed  = &client.Error{Code: client.Unauthorized, Message: "the token was used before"}
	errEnded = &client.Error{Code: client.Unauthorized, Message: "the session has ended"}
	errWrong = &client.Error{Code: client.Unauthorized, Message: "the token does not fit this connection"}
	errBusy  = &client.Error{Code: client.Unavailable, Message: "the session cannot be resumed now"}
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

// Resumes reports whether sessions outlive their connections.
func (h *Hub) Resumes() bool { return h.cfg.Resume.Window > 0 }

// Tokens signs and checks tokens.
func (h *Hub) Tokens() *Resume { return &h.cfg.Resume }

// ConnectLink is Connect for a connection whose session may be resumed. Resumes must be true.
func (h *Hub) ConnectLink(id string, l Link) *Session {
	s := h.kept(id, l.Encoder())
	s.keep.link, s.keep.last = l, l
	h.enter(s)
	return s
}

// kept makes a session that outlives its connections.
func (h *Hub) kept(id string, enc Encoder) *Session {
	s := &Session{id: id, h: h}
	s.keep = &keeper{s: s, enc: enc}
	s.conn = s.keep
	return s
}

// Token is with what the session can be resumed, nil if it cannot be. Only the newest is good.
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

// Took counts a command that has arrived, whatever is wrong with it.
func (s *Session) Took() {
	if k := s.keep; k != nil {
		k.mu.Lock()
		k.received++
		k.mu.Unlock()
	}
}

// Sent is the number of the newest frame. Once the client has shown that it has it, Acked may be told.
func (s *Session) Sent() uint64 {
	s.keep.mu.Lock()
	defer s.keep.mu.Unlock()
	return s.keep.sent
}

// Acked notes that the client has all frames up to a number.
func (s *Session) Acked(upTo uint64) {
	s.keep.mu.Lock()
	defer s.keep.mu.Unlock()
	s.keep.acked(upTo)
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
// from what the rooms know. received is the number of the last frame that the client has. The call takes as long as it
// takes to know, at most about CommandTimeout. use is called once it has the session, before anything is sent to the
// connection. Errors are for the client, and leave it as it was.
func (h *Hub) Resume(ctx context.Context, l Link, t Token, received uint64, use func(*Session)) (*Session, error) {
	if !h.claim(t.Client) {
		return nil, errUsed
	}
	defer h.unclaim(t.Client)
	h.mu.Lock()
	s, closing := h.byID[t.Client], h.closing != 0
	h.mu.Unlock()
	switch {
	case closing:
		return nil, errBusy
	case t.Gateway == h.id && s == nil:
		return nil, errEnded
	case t.Gateway == h.id:
		if err := s.keep.attach(ctx, l, t.Inc, received, use); err != nil {
			return nil, err
		}
		h.m.resumed[resumedHere].Inc()
		return s, nil
	case s != nil:
		return nil, errUsed // it has come here already
	}
	return h.takeOver(ctx, l, t, received, use)
}

// claim lets one connection at a time ask for a session.
func (h *Hub) claim(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.claimed[id] {
		return false
	}
	h.claimed[id] = true
	return true
}

func (h *Hub) unclaim(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.claimed, id)
}

// seize voids the token and takes the session's connection away, if it has one. It returns when nothing reaches the
// session any more.
func (k *keeper) seize(ctx context.Context, door string, inc, received uint64) error {
	k.mu.Lock()
	switch {
	case k.gone:
		k.mu.Unlock()
		return errEnded
	case inc != k.inc:
		k.mu.Unlock()
		return errUsed
	case door != k.enc.Door() || received > k.sent:
		k.mu.Unlock()
		return errWrong
	}
	k.inc++
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
			k.inc = inc // the token was of no use, and is good for another try
			k.wait()
		}
		return errBusy
	}
}

// attach gives the session a new connection, which gets what the client does not have.
func (k *keeper) attach(ctx context.Context, l Link, inc, received uint64, use func(*Session)) error {
	if err := k.seize(ctx, l.Encoder().Door(), inc, received); err != nil {
		return err
	}
	s := k.s
	s.mu.Lock()
	s.closing = false
	s.mu.Unlock()
	missed, ok := k.join(l, received, false, s.roomNames(), use)
	if !ok {
		return errEnded
	}
	out := s.h.outbox()
	s.touch(missed, out)
	out.conns = append(out.conns, s.conn)
	out.release()
	return nil
}

// join makes l the connection and sends it what is kept after the frames that the client has. It returns whether the client
// has missed something, be it that missed says so or that not all of it is kept; ok is false if the session has ended.
func (k *keeper) join(
	l Link, received uint64, missed bool, rooms []string, use func(*Session),
) (missedAny, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return false, false
	}
	use(k.s)
	k.link, k.last = l, l
	if missed = missed || k.missed(received); missed {
		received = k.sent
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
	return missed, true
}

// TokenNow is Token for Link.Resumed, which is called under the mutex.
func (s *Session) TokenNow() Token { return Token{Client: s.id, Gateway: s.h.id, Inc: s.keep.inc} }

// replicas are the rooms that the session has something to do with.
func (s *Session) replicas() []*replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rooms)
}

// roomNames are the rooms where the session is a member.
func (s *Session) roomNames() []string {
	names := []string{}
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		if r.local(s) != nil {
			names = append(names, r.name)
		}
		r.p.mu.Unlock()
	}
	return names
}

// touch tells the owners of the session's rooms its new count, so that nobody can claim it with an older token, and the
// client, if it has missed something, who is there.
func (s *Session) touch(missed bool, out *outbox) {
	inc := s.Token().Inc
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		if m := r.local(s); m != nil {
			m.Inc = inc
			r.p.move(r, &moving{client: s.id, inc: inc, from: s.h.id}, out)
			if missed {
				out.answer(s, nil, r.picture(s.id))
			}
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
		if id := r.members[i].Client; id != self {
			e.Clients = append(e.Clients, id)
		}
	}
	return e
}

// ResumeError is what a client is told of an error of Resume or of Resume.Open. It is counted.
func (h *Hub) ResumeError(err error) *client.Error {
	e, n := errBusy, resumptionBusy
	switch {
	case errors.Is(err, ErrToken):
		e, n = &client.Error{Code: client.Unauthorized, Message: "the token is not valid"}, resumptionInvalid
	case errors.Is(err, errUsed):
		e, n = errUsed, resumptionUsed
	case errors.Is(err, errEnded):
		e, n = errEnded, resumptionEnded
	case errors.Is(err, errWrong):
		e, n = errWrong, resumptionWrong
	}
	h.m.resumed[n].Inc()
	return e
}
