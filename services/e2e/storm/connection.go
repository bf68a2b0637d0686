package storm

import (
	"context"
	"net"

	"signalling/pkg/client"
)

// connection is a client's way to the server through one of its doors.
type connection interface {
	ID() string
	// Create, Join and Leave wait for their answers and return the errors of package client.
	Create(ctx context.Context, room string) error
	Join(ctx context.Context, room string) error
	Leave(ctx context.Context, room string) error
	// Signal sends a number to a member. delivered is called if the server says that it has reached the target's gateway,
	// which it does at one door only.
	Signal(ctx context.Context, room, target string, n uint64, delivered func()) error
	// Follow hands over all that is received, in order, until the connection ends.
	Follow(see func(e client.Event, answer bool))
	// Done is closed when the connection has ended; Err says why.
	Done() <-chan struct{}
	Err() error
	Close() error
}

// eventQueue is more than any client is told in one storm.
const eventQueue = 1 << 16

// native is a connection through the native door.
type native struct{ *client.Client }

func dialNative(ctx context.Context, url string, dial dialer) (connection, error) {
	c, err := client.Dial(ctx, url, &client.Options{EventQueue: eventQueue, NetDial: dial})
	if err != nil {
		return nil, err
	}
	return native{c}, nil
}

// dialer opens the network connection below a connection.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Join implements connection.
func (c native) Join(ctx context.Context, room string) error {
	_, err := c.Client.Join(ctx, room)
	return err
}

// Signal implements connection.
func (c native) Signal(ctx context.Context, room, target string, n uint64, _ func()) error {
	return c.Client.Signal(ctx, room, target, n)
}

// Follow implements connection.
func (c native) Follow(see func(e client.Event, answer bool)) {
	for m := range c.Events() {
		see(m.Event, m.Answer)
	}
}
