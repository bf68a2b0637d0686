package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	api "signalling/api/client"
)

// Options change how Dial connects and how the client behaves. The zero value of each field means its default.
type Options struct {
	// Token says who the client is, where the server asks for it. It is sent as Authorization: Bearer.
	Token string
	// Header is sent with the handshake, for instance Origin, Cookie or Authorization.
	Header http.Header
	// TLS is used for wss URLs. Default: the system's roots.
	TLS *tls.Config
	// NetDial opens the network connection. Default: net.Dialer, through the proxy that the environment names.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Resume is the session of an earlier client that is to be taken up. Whether it was says Client.Resumed: a server that
	// refuses it makes a new client. If it cannot say now whether there is such a session, Dial returns an *Error with code
	// Unavailable: try again, after a pause with jitter, for as long as the session may be kept.
	Resume *Session

	// DialTimeout bounds connecting, handshake, welcome and resuming together. Default: 10 s. The context may end it earlier.
	DialTimeout time.Duration
	// WriteTimeout is the longest that the network may take for one message, else the connection ends. Default: 10 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long Close waits for the messages on their way out and for the server's close frame.
	// Default: 3 s.
	CloseTimeout time.Duration
	// PingInterval is the time between two pings to the server. If it is silent for two of them the connection ends.
	// Default: 20 s; negative: no pings, and a dead network is noticed when the operating system does.
	PingInterval time.Duration

	// EventQueue is the number of messages that may wait to be read from Events; at the bound the client ends with
	// ErrEventsUnread. Default: 1024.
	EventQueue int
	// ReadLimit is the longest message in bytes that is taken from the server; a longer one ends the connection. It must
	// have room for the largest roster. Default: 16 MiB.
	ReadLimit int64
}

// sendQueue is how many commands may wait for the network before the next one waits with its caller.
const sendQueue = 16

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	set(&d.DialTimeout, 10*time.Second)
	set(&d.WriteTimeout, 10*time.Second)
	set(&d.CloseTimeout, 3*time.Second)
	if d.PingInterval == 0 {
		d.PingInterval = 20 * time.Second
	}
	set(&d.EventQueue, 1024)
	set(&d.ReadLimit, 16<<20)
	return d
}

func set[T int | int64 | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Dial connects to a native door, such as ws://127.0.0.1:8080/ws, and waits for the server's welcome. opts may be nil. ctx
// bounds Dial, not the life of the client. A server that answers and refuses is a *HandshakeError, one that closes instead
// of welcoming a *CloseError.
func Dial(ctx context.Context, url string, opts *Options) (*Client, error) {
	o := opts.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	ws, err := handshake(ctx, url, &o)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", url, err)
	}
	c := newClient(ws, o)
	err = c.welcome(ctx)
	if err == nil && o.Resume != nil {
		err = c.resume(ctx, o.Resume)
	}
	if err != nil {
		_ = ws.Close()
		return nil, fmt.Errorf("dial %s: %w", url, err)
	}
	c.start()
	return c, nil
}

func handshake(ctx context.Context, url string, o *Options) (*websocket.Conn, error) {
	d := websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		NetDialContext:  o.NetDial,
		TLSClientConfig: o.TLS,
		Subprotocols:    []string{api.Subprotocol},
	}
	header := o.Header
	if o.Token != "" {
		header = header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Authorization", "Bearer "+o.Token)
	}
	ws, resp, err := d.DialContext(ctx, url, header)
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		return nil, &HandshakeError{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
	}
	return ws, err
}

// readUntil reads a message. The end of ctx wakes it up.
func (c *Client) readUntil(ctx context.Context) (Message, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.ws.SetReadDeadline(time.Unix(1, 0)) })
	m, err := c.read()
	if !stop() {
		return Message{}, context.Cause(ctx)
	}
	return m, err
}

// welcome reads the first frame.
func (c *Client) welcome(ctx context.Context) error {
	m, err := c.readUntil(ctx)
	if err != nil {
		return err
	}
	w, ok := m.Event.(*Welcome)
	if !ok {
		return fmt.Errorf("%w: it began with %q instead of a welcome", ErrProtocol, m.Name)
	}
	c.id, c.maxMessage = w.ClientID, int(min(w.MaxMessageBytes, 1<<31-1))
	c.display = w.Display
	c.session = Session{id: w.ClientID, token: w.Resume}
	c.events <- m
	return nil
}
