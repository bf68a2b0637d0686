package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
)

// Rooms lists rooms of all partitions. failed are the partitions whose owners did not answer.
func (c *Client) Rooms(ctx context.Context, q operate.Question) (list operate.RoomList, failed map[int]error) {
	q.Op = operate.Rooms
	var parts []operate.RoomList
	failed = each(ctx, c, q, func(_ int, _ string, l operate.RoomList) { parts = append(parts, l) })
	return operate.Merge(parts, &q), failed
}

// Room returns a room with its members, limit at most, and the instance that owns it.
func (c *Client) Room(ctx context.Context, name string, limit int) (state operate.RoomState, instance string, err error) {
	q := operate.Question{Op: operate.Room, Room: name, Limit: min(limit, operate.MaxLimit)}
	partition := bus.Partition(name)
	instance, err = c.Owner(ctx, bus.Ask, partition, q, &state)
	for err == nil && state.Next != 0 && len(state.List) < limit {
		var more operate.RoomState
		q.Since, q.Limit = state.Next, min(limit-len(state.List), operate.MaxLimit)
		if instance, err = c.Owner(ctx, bus.Ask, partition, q, &more); err == nil {
			more.List = append(state.List, more.List...)
			state = more
		}
	}
	return state, instance, err
}

// Client returns where a client is. failed are the partitions whose owners did not answer. What is known is returned with the
// error, which says why the gateways could not be asked.
func (c *Client) Client(ctx context.Context, id string) (p operate.Presence, failed map[int]error, err error) {
	q := operate.Question{Op: operate.Client, Client: id, Limit: operate.MaxLimit}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		p.Session, err = c.session(ctx, q)
	}()
	var in []operate.Membership
	failed = each(ctx, c, q, func(_ int, _ string, part operate.Presence) { in = append(in, part.Memberships...) })
	<-asked
	p.Memberships = in
	return p, failed, err
}

// session asks all gateways for a client's session, nil if none that answers has it.
func (c *Client) session(ctx context.Context, q operate.Question) (s *operate.Session, err error) {
	err = c.all(ctx, bus.AdminGateway(bus.Ask, bus.Everyone), q, func(m *nats.Msg) bool {
		var part operate.Presence
		if _, err := decode(m.Data, &part); err == nil && part.Session != nil {
			s = part.Session
		}
		return s != nil
	})
	return s, err
}

// KickAll removes a client from rooms, and calls done with what becomes of each of them. A room whose owner says nothing takes half
// of the time that is left at most.
func (c *Client) KickAll(ctx context.Context, rooms []string, client string, done func(room string, d operate.Done, err error)) {
	for _, room := range rooms {
		limited, stop := half(ctx)
		d, err := c.Kick(limited, room, client)
		stop()
		done(room, d, err)
	}
}

// Kick removes a client from a room.
func (c *Client) Kick(ctx context.Context, room, client string) (d operate.Done, err error) {
	q := operate.Question{Op: operate.Kick, Room: room, Client: client}
	_, err = c.Owner(ctx, bus.Do, bus.Partition(room), q, &d)
	return d, err
}

// CloseRoom ends a room.
func (c *Client) CloseRoom(ctx context.Context, room string) (d operate.Done, err error) {
	_, err = c.Owner(ctx, bus.Do, bus.Partition(room), operate.Question{Op: operate.Close, Room: room}, &d)
	return d, err
}

// Drain has a gateway end.
func (c *Client) Drain(ctx context.Context, gateway string) (d operate.Done, err error) {
	err = c.Gateway(ctx, bus.Do, gateway, operate.Question{Op: operate.Drain}, &d)
	return d, err
}

// News is an event of a room as a tail shows it: without anything secret.
type News struct {
	Kind    string `json:"kind"`
	Room    string `json:"room"`
	Client  string `json:"client,omitempty"`
	Gateway string `json:"gateway,omitempty"`
	// Display is the display identity of a client that has joined.
	Display string `json:"display,omitempty"`
	// Owner is the room's owner from now on, if it has changed.
	Owner   string `json:"owner,omitempty"`
	Epoch   uint64 `json:"epoch"`
	Version uint64 `json:"version"`
	// Missed is how many events were missed before this one, -1 if that is not known.
	Missed int `json:"missed,omitempty"`
	// Options are the room's from now on, if they have changed.
	Options *Options `json:"options,omitempty"`
}

// Options are a room's.
type Options struct {
	Locked   bool            `json:"locked"`
	Password bool            `json:"password"`
	Capacity uint64          `json:"capacity,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Banned   int             `json:"banned,omitempty"`
}

// flushTime bounds how long NATS may take to know that we listen.
const flushTime = 5 * time.Second

// Tail calls news with each event of a room until ctx ends. ready is called when it listens.
func (c *Client) Tail(ctx context.Context, room string, ready func() error, news func(News) error) error {
	sub, err := c.nc.SubscribeSync(bus.EventSubject(bus.Token(room)))
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.nc.FlushTimeout(flushTime); err != nil {
		return err
	}
	if err := c.nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if err := ready(); err != nil {
		return err
	}
	var last bus.Stamp
	for {
		m, err := sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrSlowConsumer):
			continue // the next version shows what was missed
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		var e bus.Event
		if err := e.Decode(m.Data); err != nil || e.Room != room {
			continue // another room's, whose token is the same
		}
		n := newsOf(&e)
		n.Missed = missed(last, e.Stamp)
		if last = e.Stamp; e.Kind == bus.Closed {
			last = bus.Stamp{} // the next room of this name begins anywhere
		}
		if err := news(n); err != nil {
			return err
		}
	}
}

// missed is how many events lie between two.
func missed(last, now bus.Stamp) int {
	switch {
	case last == (bus.Stamp{}):
		return 0
	case last.Epoch != now.Epoch:
		return -1
	}
	return int(now.Version - last.Version - 1) // #nosec G115 -- small
}

func newsOf(e *bus.Event) News {
	n := News{
		Kind: string(e.Kind), Room: e.Room, Client: e.Client, Gateway: e.Gateway, Display: e.Display, Owner: e.Owner, Epoch: e.Epoch, Version: e.Version,
	}
	if p := e.Policy; p != nil {
		n.Options = &Options{
			Locked: p.Locked, Password: p.Password != "", Capacity: p.Capacity, Metadata: p.Metadata, Banned: len(p.Banned),
		}
	}
	return n
}
