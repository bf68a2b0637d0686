package client

import (
	"time"

	"github.com/gorilla/websocket"
)

// writeLoop is the only writer of messages.
func (c *Client) writeLoop() {
	var ping <-chan time.Time
	if c.opts.PingInterval > 0 {
		ticker := time.NewTicker(c.opts.PingInterval)
		defer ticker.Stop()
		ping = ticker.C
	}
	for o, ok := c.nextAgain(); ok; o, ok = c.nextAgain() {
		if err := c.write(o); err != nil {
			c.mourn(err)
			return
		}
	}
	for {
		var err error
		select {
		case o := <-c.outbox:
			err = c.write(o)
		case <-ping:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.opts.WriteTimeout))
		case <-c.closing:
			c.goodbye()
			return
		case <-c.ending:
			return
		}
		if err != nil {
			c.mourn(err)
			return
		}
	}
}

// mourn ends the client after a write has failed. If that was because the server has closed, its close frame says more
// than the error: the reader gets time to find it.
func (c *Client) mourn(err error) {
	timer := time.NewTimer(c.opts.CloseTimeout)
	defer timer.Stop()
	select {
	case <-c.ending:
	case <-timer.C:
		c.fail(closeError(err))
		c.abort()
	}
}

func (c *Client) write(o outgoing) error {
	c.mu.Lock()
	c.session.note(o)
	c.mu.Unlock()
	return c.writeFrame(o.frame)
}

func (c *Client) writeFrame(frame []byte) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.opts.WriteTimeout))
	return c.ws.WriteMessage(websocket.TextMessage, frame)
}

// goodbye sends what is queued and a close frame (RFC 6455 section 7.1.2); the server's own ends the reader.
func (c *Client) goodbye() {
	for {
		select {
		case o := <-c.outbox:
			if c.write(o) != nil {
				c.abort()
				return
			}
		default:
			frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			if c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(c.opts.CloseTimeout)) != nil {
				c.abort()
			}
			return
		}
	}
}
