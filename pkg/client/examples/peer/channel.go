package peer

import (
	"context"
	"errors"
	"sync"

	"github.com/pion/webrtc/v4"
)

// ErrChannelClosed is returned by Receive after the end of the channel.
var ErrChannelClosed = errors.New("data channel is closed")

// Channel is an open data channel to another member.
type Channel struct {
	// Remote is the other member's client id.
	Remote string

	data     *webrtc.DataChannel
	messages chan []byte
	closed   chan struct{}
	once     sync.Once
}

func newChannel(remote string, d *webrtc.DataChannel) *Channel {
	c := &Channel{Remote: remote, data: d, messages: make(chan []byte), closed: make(chan struct{})}
	d.OnMessage(func(m webrtc.DataChannelMessage) {
		select {
		case c.messages <- m.Data: // who does not Receive slows the sender down
		case <-c.closed:
		}
	})
	d.OnClose(func() { c.once.Do(func() { close(c.closed) }) })
	return c
}

// Send sends a message. It is reliable and ordered.
func (c *Channel) Send(message []byte) error { return c.data.Send(message) }

// Receive waits for a message.
func (c *Channel) Receive(ctx context.Context) ([]byte, error) {
	select {
	case m := <-c.messages:
		return m, nil
	case <-c.closed:
		return nil, ErrChannelClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
