package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	api "signalling/api/client"
)

// read reads one message.
func (c *Client) read() (Message, error) {
	kind, frame, err := c.ws.ReadMessage()
	if err != nil {
		return Message{}, closeError(err)
	}
	if kind != websocket.TextMessage {
		return Message{}, fmt.Errorf("%w: a binary message", ErrProtocol)
	}
	m := Message{Raw: frame}
	e, id, err := api.DecodeObject(frame)
	switch {
	case errors.Is(err, api.ErrUnknownEvent):
		var named struct{ Event string }
		_ = json.Unmarshal(frame, &named) // it was decoded before
		m.Name = named.Event
	case err != nil:
		return Message{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	default:
		m.Event, m.Name, m.Answer, m.id = e, e.Name(), id != nil, id
	}
	return m, nil
}

// readLoop reads until the connection ends, and notes why it did.
func (c *Client) readLoop() {
	c.watch()
	for {
		c.alive()
		m, err := c.read()
		if err == nil {
			c.count(m.Event)
			err = c.deliver(m)
		}
		if err != nil {
			c.fail(err)
			c.farewell(err)
			return
		}
	}
}

// count counts what the session has got.
func (c *Client) count(e Event) {
	if counts(e) {
		c.mu.Lock()
		c.session.received++
		c.mu.Unlock()
	}
}

// deliver queues the message first and wakes the command after, so that whoever has the answer finds it in the queue.
func (c *Client) deliver(m Message) error {
	select {
	case c.events <- m:
	default:
		return ErrEventsUnread
	}
	if !m.Answer {
		return nil
	}
	id, err := strconv.ParseUint(string(m.id), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: an answer to id %s, which was not asked", ErrProtocol, m.id)
	}
	if answer := c.forget(id); answer != nil {
		answer <- m.Event
	}
	return nil
}

// watch lets pings and pongs count as signs of life, as alive does for messages.
func (c *Client) watch() {
	pong := c.ws.PingHandler()
	c.ws.SetPingHandler(func(data string) error {
		c.alive()
		return pong(data)
	})
	c.ws.SetPongHandler(func(string) error {
		c.alive()
		return nil
	})
}

// alive gives the server two intervals of silence from now on.
func (c *Client) alive() {
	if c.opts.PingInterval > 0 {
		_ = c.ws.SetReadDeadline(time.Now().Add(2 * c.opts.PingInterval))
	}
}

// farewell tells the server why the client ends by its own decision. When the end came from outside, there is nobody to
// tell; gorilla has answered a close frame already.
func (c *Client) farewell(err error) {
	code := websocket.CloseNormalClosure
	switch {
	case errors.Is(err, ErrProtocol):
		code = websocket.CloseProtocolError
	case !errors.Is(err, ErrEventsUnread):
		return
	}
	frame := websocket.FormatCloseMessage(code, "")
	_ = c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(c.opts.CloseTimeout))
}
