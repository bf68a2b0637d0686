package gateway_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	api "signalling/api/client"
)

// client is a WebSocket client that shows every frame as it came. It takes what it is sent whether or not the test looks,
// unless told to stop reading, and never waits for what it sends.
type client struct {
	t       testing.TB
	id      string
	welcome *api.Welcome
	ws      *websocket.Conn
	out     chan []byte
	raw     chan [][]byte // a binary frame, or a text in several
	frames  chan string
	over    chan struct{}        // closed when the reader has met the end
	err     error                // why; set before over
	paused  chan (chan struct{}) // see stopReading
	quit    chan struct{}
}

const clientQueue = 1 << 14

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// deaf makes a client that answers no pings.
func deaf(ws *websocket.Conn) { ws.SetPingHandler(func(string) error { return nil }) }

// dial connects and reads the welcome.
func dial(t testing.TB, url string, network dialFunc, prepare ...func(*websocket.Conn)) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := websocket.Dialer{NetDialContext: network}
	ws, resp, err := d.DialContext(ctx, url, nil)
	if err != nil {
		t.Fatalf("connecting to %s: %v", url, err)
	}
	_ = resp.Body.Close()
	for _, f := range prepare {
		f(ws)
	}
	c := &client{
		t: t, ws: ws, out: make(chan []byte, clientQueue), raw: make(chan [][]byte, 1), frames: make(chan string, clientQueue),
		over: make(chan struct{}), paused: make(chan chan struct{}), quit: make(chan struct{}),
	}
	go c.read()
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	t.Cleanup(func() {
		c.vanish()
		close(c.quit)
		<-written
		<-c.over
	})
	e, _, err := api.DecodeObject([]byte(c.next()))
	welcome, ok := e.(*api.Welcome)
	if err != nil || !ok {
		t.Fatalf("no welcome but %v, %v", e, err)
	}
	c.id, c.welcome = welcome.ClientID, welcome
	return c
}

func (c *client) name() string { return c.id }

func (c *client) read() {
	defer close(c.over)
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			c.err = err
			return
		}
		select {
		case resume := <-c.paused:
			select {
			case <-resume:
			case <-c.quit:
			}
		default:
		}
		c.frames <- string(frame)
	}
}

func (c *client) write() {
	for {
		select {
		case frame := <-c.out:
			if c.ws.WriteMessage(websocket.TextMessage, frame) != nil {
				return
			}
		case pieces := <-c.raw:
			if c.writeRaw(pieces) != nil {
				return
			}
		case <-c.quit:
			return
		}
	}
}

func (c *client) writeRaw(pieces [][]byte) error {
	if len(pieces) == 1 {
		return c.ws.WriteMessage(websocket.BinaryMessage, pieces[0])
	}
	// gorilla writes fragments only when its buffer is full, so they are made here (RFC 6455 section 5.2).
	var wire []byte
	for n, p := range pieces {
		first := byte(0)
		if n == 0 {
			first = websocket.TextMessage
		}
		if n == len(pieces)-1 {
			first |= 0x80
		}
		wire = append(wire, first, 0x80|byte(len(p)), 0, 0, 0, 0) // masked with zeros
		wire = append(wire, p...)
	}
	_, err := c.ws.NetConn().Write(wire)
	return err
}

// stopReading makes the client take nothing after the next frame, until the function that is returned is called.
func (c *client) stopReading() (resume func()) {
	r := make(chan struct{})
	go func() {
		select {
		case c.paused <- r:
		case <-c.quit:
		}
	}()
	return func() { close(r) }
}

// vanish ends the connection without a word.
func (c *client) vanish() { _ = c.ws.NetConn().Close() }

// say sends a frame as it is.
func (c *client) say(frame string) { c.out <- []byte(frame) }

// sayBinary sends a binary frame.
func (c *client) sayBinary(frame []byte) { c.raw <- [][]byte{frame} }

// sayInPieces sends a text message in as many frames.
func (c *client) sayInPieces(pieces ...string) {
	var list [][]byte
	for _, p := range pieces {
		list = append(list, []byte(p))
	}
	c.raw <- list
}

// do sends a command; id is its JSON id, or empty.
func (c *client) do(op api.Op, room, id string) {
	cmd := api.Command{Op: op, Room: []byte(room), ID: []byte(id)}
	c.out <- cmd.AppendObject(nil)
}

func (c *client) create(room string) { c.do(api.RoomCreate, room, "") }
func (c *client) join(room string)   { c.do(api.RoomJoin, room, "") }
func (c *client) leave(room string)  { c.do(api.RoomLeave, room, "") }

// signal sends JSON text to another member.
func (c *client) signal(room string, target named, data string) { c.signalID(room, target, data, "") }

func (c *client) signalID(room string, target named, data, id string) {
	cmd := api.Command{Op: api.SignalSend, Room: []byte(room), TargetID: []byte(target.name()), Data: []byte(data), ID: []byte(id)}
	c.out <- cmd.AppendObject(nil)
}

// next returns the next frame.
func (c *client) next() string {
	c.t.Helper()
	select {
	case f := <-c.frames:
		return f
	default:
	}
	select {
	case f := <-c.frames:
		return f
	case <-c.over:
		select {
		case f := <-c.frames: // the last one came with the end
			return f
		default:
		}
		c.t.Fatalf("the connection of %s has ended: %v", c.id, c.err)
	case <-time.After(patience):
		c.t.Fatalf("nothing came for %s", c.id)
	}
	panic("unreachable")
}

// expect asserts that the next frames are these events, without an id.
func (c *client) expect(events ...api.Event) {
	c.t.Helper()
	for _, e := range events {
		c.expectID("", e)
	}
}

// expectID asserts that the next frame is the event, as the answer to the command with the id.
func (c *client) expectID(id string, e api.Event) {
	c.t.Helper()
	want := string(api.AppendObject(nil, e, []byte(id)))
	if got := c.next(); got != want {
		c.t.Fatalf("%s got  %s\nwant %s", c.id, got, want)
	}
}

// expectNothing asserts that no frame is here that the test has not seen.
func (c *client) expectNothing() {
	c.t.Helper()
	select {
	case f := <-c.frames:
		c.t.Fatalf("%s got %s, want nothing", c.id, f)
	default:
	}
}

// expectClose asserts that the server closes the connection with the code, after no more frames than the test has seen.
func (c *client) expectClose(code api.CloseCode) {
	c.t.Helper()
	c.expectEnd(code)
	c.expectNothing()
}

// expectEnd is expectClose after any number of frames.
func (c *client) expectEnd(code api.CloseCode) {
	c.t.Helper()
	select {
	case <-c.over:
	case <-time.After(patience):
		c.t.Fatalf("the connection of %s does not end", c.id)
	}
	expectCloseError(c.t, c.err, code)
}

// number is n as JSON text.
func number(n int) string { return strconv.Itoa(n) }

// dialRaw connects without reading anything.
func dialRaw(w *world) (*websocket.Conn, *http.Response, error) {
	return dialSilent(w.t, "ws://gateway/ws", w.pipes.dial)
}

func dialSilent(t testing.TB, url string, network dialFunc) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := websocket.Dialer{NetDialContext: network}
	return d.DialContext(ctx, url, nil)
}

func expectCloseError(t testing.TB, err error, code api.CloseCode) {
	t.Helper()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != int(code) || closed.Text != code.Reason() {
		t.Fatalf("the connection ended with %v, want %d %s", err, code, code.Reason())
	}
}
