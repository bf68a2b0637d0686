package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	api "signalling/api/client"
)

// Resumed is the answer to a Session that was brought back: section 1.10 of PROTOCOL.md.
type Resumed = api.Resumed

// GoingAway tells that the gateway stops, and closes the connection next.
type GoingAway = api.GoingAway

// Session is what is left of a connection that was lost: Options.Resume takes it to a new one, at any gateway, for as long as
// the server keeps it. A Dial that fails leaves it as it is, to be tried again, also if the server has resumed it and only the
// answer is lost. Once a Dial has succeeded it is worth nothing; the new client has its own.
type Session struct {
	id, token string
	received  uint64
	commands  uint64
	asked     uint64      // id of the last command: an answer that comes late must not pass for that of a later one
	signals   []signalled // those that the server may not have, ascending
}

// signalled is a signal with its number among the commands of the session.
type signalled struct {
	number uint64
	frame  []byte
}

const (
	// keptSignals and keptBytes bound the signals that are kept, to be sent again on a new connection.
	keptSignals = 256
	keptBytes   = 1 << 20
)

// outgoing is a command on its way to the network.
type outgoing struct {
	frame  []byte
	signal bool
}

// Session returns what the client can be resumed with: once it is Done, if the server keeps sessions and the connection did
// not end for good. Else it is nil.
func (c *Client) Session() *Session {
	select {
	case <-c.done:
	default:
		return nil
	}
	c.sending.Lock() // who has queued a command has done so, and nobody can from now on
	defer c.sending.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	end, lost := errors.AsType[*CloseError](c.err)
	if c.session.token == "" || !lost || !end.Reconnect() {
		return nil
	}
	for _, o := range c.again { // nobody writes any more
		c.session.note(o)
	}
	c.again = nil
	for len(c.outbox) > 0 {
		c.session.note(<-c.outbox)
	}
	s := c.session
	s.asked = c.nextID
	return &s
}

// Resumed is how the client came back to its session: nil if it is a new one, because Options.Resume had none or the server
// has refused it.
//
// If Missed is set, events are lost; a RoomJoined with Resumed comes for each of the Rooms and is the whole room. Signals
// that the server had not got are sent again, unless it cannot be known which those are: a gateway that has died is Missed
// and has Received 0.
func (c *Client) Resumed() *Resumed { return c.resumed }

// note counts a command that is being sent, and keeps it if it is a signal.
func (s *Session) note(o outgoing) {
	if s.token == "" {
		return
	}
	s.commands++
	if o.signal {
		s.signals = append(s.signals, signalled{s.commands, o.frame})
	}
	size := 0
	for i, x := range slices.Backward(s.signals) {
		size += len(x.frame)
		if len(s.signals)-i > keptSignals || size > keptBytes {
			s.signals = append([]signalled(nil), s.signals[i+1:]...)
			return
		}
	}
}

// nextAgain takes the next of the signals that are sent again.
func (c *Client) nextAgain() (o outgoing, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.again) == 0 {
		return o, false
	}
	o, c.again = c.again[0], c.again[1:]
	return o, true
}

// counts says that the event is one of those that the session counts.
func counts(e Event) bool {
	switch e.(type) {
	case *Welcome, *Resumed, *GoingAway:
		return false
	}
	return true
}

// resume brings the session back, before the client starts. A refusal leaves it as it is.
func (c *Client) resume(ctx context.Context, s *Session) error {
	cmd := api.Command{Op: api.Resume, ID: []byte("0"), Token: []byte(s.token), Received: s.received}
	if err := c.writeFrame(cmd.AppendObject(nil)); err != nil {
		return closeError(err)
	}
	for {
		m, err := c.readUntil(ctx)
		if err != nil {
			return err
		}
		select {
		case c.events <- m:
		default:
			return ErrEventsUnread
		}
		if counts(m.Event) && !m.Answer {
			c.session.received++
		}
		if e, ok := m.Event.(*Resumed); ok {
			c.goOn(s, e)
			return nil
		}
		if m.Answer {
			if e, refused := m.Event.(*Error); refused {
				c.session.received++
				if e.Code == Unavailable {
					return e // not now
				}
				return nil
			}
			return fmt.Errorf("%w: resume answered by %q", ErrProtocol, m.Name)
		}
	}
}

// goOn makes the client the one that it was.
func (c *Client) goOn(s *Session, e *Resumed) {
	c.resumed, c.id = e, e.ClientID
	c.session = Session{id: e.ClientID, token: e.Resume, received: e.Seq, commands: e.Received}
	c.nextID = s.asked
	if e.Missed && e.Received == 0 {
		return
	}
	for _, x := range s.signals {
		if x.number > e.Received {
			c.again = append(c.again, outgoing{x.frame, true})
		}
	}
}
