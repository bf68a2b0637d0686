package storm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	api "signalling/api/client"
	"signalling/pkg/client"
)

// socketIO is a connection through the Socket.IO door, as far as a storm needs one: Engine.IO 4 over WebSocket. Commands
// ask for acknowledgements, which find them; real clients of this door are tested elsewhere.
type socketIO struct {
	ws   *websocket.Conn
	id   string
	seen chan packet
	done chan struct{}

	writing sync.Mutex // guards writing to ws

	mu      sync.Mutex // guards what follows
	err     error
	nextAck uint64
	pending map[uint64]chan api.Event
	signals map[uint64]func() // those whose delivery is not acknowledged yet
	pid     string            // with offset, what is left of the session; empty if the server keeps none
	offset  string
}

// recovery is a session of the Socket.IO door.
type recovery struct {
	pid, offset string
	// Acknowledgements of the earlier connection can come on the next one: their numbers go on, as those of real clients do.
	nextAck uint64
	signals map[uint64]func()
}

// packet is an event, or the acknowledgement that repeats it.
type packet struct {
	event api.Event
	ack   bool
}

const (
	writeTimeout = 10 * time.Second
	// silence is more than the server's ping interval and timeout together.
	silence = 60 * time.Second
)

func dialSocketIO(ctx context.Context, native string, dial dialer) (connection, error) {
	return openSocketIO(ctx, native, dial, nil)
}

// openSocketIO is an opener.
func openSocketIO(ctx context.Context, native string, dial dialer, left any) (resumable, error) {
	u, err := url.Parse(native)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawQuery = "/socket.io/", "EIO=4&transport=websocket"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ws, resp, err := (&websocket.Dialer{NetDialContext: dial}).DialContext(ctx, u.String(), nil)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	c := &socketIO{
		ws: ws, seen: make(chan packet, eventQueue), done: make(chan struct{}), pending: map[uint64]chan api.Event{},
		signals: map[uint64]func(){},
	}
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	was, _ := left.(*recovery)
	err = c.handshake(was)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		_ = ws.Close()
		return nil, err
	}
	go c.read()
	return c, nil
}

// handshake takes the open packet, enters the default namespace, with what is left of an earlier session, and learns the id.
func (c *socketIO) handshake(was *recovery) error {
	if _, err := c.next("0"); err != nil {
		return err
	}
	hello := "40"
	if was != nil {
		hello += fmt.Sprintf(`{"pid":%q,"offset":%q}`, was.pid, was.offset)
	}
	if err := c.write(hello); err != nil {
		return err
	}
	text, err := c.next("40")
	if err != nil {
		return err
	}
	var connected struct{ Sid, Pid string }
	err = json.Unmarshal([]byte(text), &connected)
	c.id, c.pid = connected.Sid, connected.Pid
	if was == nil || err != nil {
		return err
	}
	if c.pid != was.pid {
		return &refusal{"another pid", false}
	}
	c.offset, c.nextAck, c.signals = was.offset, was.nextAck, was.signals
	return nil
}

// session implements resumable.
func (c *socketIO) session() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if end, lost := errors.AsType[*client.CloseError](c.err); !lost || !end.Reconnect() || c.pid == "" || c.offset == "" {
		return nil
	}
	return &recovery{c.pid, c.offset, c.nextAck, c.signals}
}

// note keeps the offset of an event, which is its last argument, and returns the event without it.
func (c *socketIO) note(array []byte) ([]byte, error) {
	if c.pid == "" {
		return array, nil
	}
	var args []json.RawMessage
	if err := json.Unmarshal(array, &args); err != nil || len(args) < 2 {
		return nil, fmt.Errorf("no offset: %w", err)
	}
	last := len(args) - 1
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := json.Unmarshal(args[last], &c.offset); err != nil {
		return nil, err
	}
	return json.Marshal(args[:last])
}

func (c *socketIO) next(prefix string) (string, error) {
	_, frame, err := c.ws.ReadMessage()
	if err != nil {
		return "", endOf(err)
	}
	text, ok := strings.CutPrefix(string(frame), prefix)
	if !ok {
		return "", fmt.Errorf("%w: %s instead of %s", client.ErrProtocol, frame, prefix)
	}
	return text, nil
}

func endOf(err error) error {
	if end, ok := errors.AsType[*websocket.CloseError](err); ok {
		return &client.CloseError{Code: client.CloseCode(end.Code), Reason: end.Text}
	}
	return &client.CloseError{Code: client.CloseAbnormal, Err: err}
}

func (c *socketIO) read() {
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(silence))
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			err = endOf(err)
		} else {
			err = c.take(string(frame))
		}
		if err != nil {
			c.fail(err)
			_ = c.ws.Close()
			close(c.done)
			close(c.seen)
			return
		}
	}
}

// take understands one packet.
func (c *socketIO) take(text string) error {
	switch {
	case text == "2":
		if err := c.write("3"); err != nil {
			return endOf(err) // the network's, like that of a read
		}
		return nil
	case strings.HasPrefix(text, "42"):
		array, err := c.note([]byte(text[2:]))
		if err != nil {
			return fmt.Errorf("%w: %w: %s", client.ErrProtocol, err, text)
		}
		e, err := api.DecodeArray(array)
		if err != nil {
			return fmt.Errorf("%w: %w: %s", client.ErrProtocol, err, text)
		}
		c.seen <- packet{event: e}
		return nil
	case strings.HasPrefix(text, "43"):
		return c.acknowledged(text[2:])
	case text == "41", text == "1":
		return nil // the end follows
	}
	return fmt.Errorf("%w: %s", client.ErrProtocol, text)
}

func (c *socketIO) acknowledged(text string) error {
	at := strings.IndexByte(text, '[')
	id, err := strconv.ParseUint(text[:max(at, 0)], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: acknowledgement %s", client.ErrProtocol, text)
	}
	c.mu.Lock()
	delivered := c.signals[id]
	delete(c.signals, id)
	c.mu.Unlock()
	if delivered != nil {
		if text[at:] == "[]" {
			delivered()
		}
		return nil // a refusal comes as an event too
	}
	e, err := api.DecodeArray([]byte(text[at:]))
	if err != nil {
		return fmt.Errorf("%w: %w: %s", client.ErrProtocol, err, text)
	}
	c.seen <- packet{event: e, ack: true}
	c.mu.Lock()
	answer := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if answer != nil {
		answer <- e
	}
	return nil
}

func (c *socketIO) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

func (c *socketIO) write(text string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.ws.WriteMessage(websocket.TextMessage, []byte(text))
}

// ID implements connection.
func (c *socketIO) ID() string { return c.id }

// Create implements connection.
func (c *socketIO) Create(ctx context.Context, room string) error {
	return c.command(ctx, api.RoomCreate, room)
}

// Join implements connection.
func (c *socketIO) Join(ctx context.Context, room string) error {
	return c.command(ctx, api.RoomJoin, room)
}

// Leave implements connection.
func (c *socketIO) Leave(ctx context.Context, room string) error {
	return c.command(ctx, api.RoomLeave, room)
}

// ask notes that an acknowledgement is asked for. It fails once the connection has ended: the next one goes on with its numbers.
func (c *socketIO) ask(note func(id uint64)) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.nextAck++
	note(c.nextAck)
	return c.nextAck, nil
}

func (c *socketIO) command(ctx context.Context, op api.Op, room string) error {
	answer := make(chan api.Event, 1)
	id, err := c.ask(func(id uint64) { c.pending[id] = answer })
	if err != nil {
		return err
	}
	cmd := api.Command{Op: op, Room: []byte(room)}
	if err := c.write("42" + strconv.FormatUint(id, 10) + string(cmd.AppendArray(nil))); err != nil {
		return err
	}
	select {
	case e := <-answer:
		return client.Message{Event: e}.Err()
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Signal implements connection.
func (c *socketIO) Signal(_ context.Context, room, target string, n uint64, delivered func()) error {
	id, err := c.ask(func(id uint64) { c.signals[id] = delivered })
	if err != nil {
		return err
	}
	cmd := api.Command{
		Op: api.SignalSend, Room: []byte(room), TargetID: []byte(target), Data: strconv.AppendUint(nil, n, 10),
	}
	return c.write("42" + strconv.FormatUint(id, 10) + string(cmd.AppendArray(nil)))
}

// Follow implements connection. What an event answers is known by its kind, but for not-in-room, which can be about a
// signal: there the acknowledgement counts.
func (c *socketIO) Follow(see func(e client.Event, answer bool)) {
	for p := range c.seen {
		_, ambiguous := p.event.(*client.NotInRoom)
		if ambiguous || !p.ack {
			see(p.event, p.ack || isAnswer(p.event))
		}
	}
}

func isAnswer(e client.Event) bool {
	switch e := e.(type) {
	case *client.RoomCreated, *client.RoomExists, *client.RoomJoined, *client.RoomNotExists:
		return true
	case *client.RoomLeft:
		return !e.Kicked
	}
	return false
}

// Done implements connection.
func (c *socketIO) Done() <-chan struct{} { return c.done }

// Err implements connection.
func (c *socketIO) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close implements connection.
func (c *socketIO) Close() error {
	c.fail(client.ErrClosed)
	_ = c.write("41")
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(writeTimeout))
	_ = c.ws.SetReadDeadline(time.Now().Add(3 * time.Second))
	<-c.done
	return nil
}
