package resume

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
	sdk "signalling/pkg/client"
)

// link is a connection of a member, through one of the doors.
type link interface {
	ID() string
	// Events has what the server sends. It is closed when the connection has ended.
	Events() <-chan sdk.Message
	Done() <-chan struct{}
	Create(ctx context.Context, room string) error
	Join(ctx context.Context, room string) error
	// Signal sends a signal. Without an error it arrives, be it over a later connection of the session.
	Signal(ctx context.Context, room, target string, n int64) error
	Close() error
}

// native is a connection of the SDK.
type native struct{ *sdk.Client }

func dialNative(ctx context.Context, url string, was link) (link, *api.Resumed, error) {
	var session *sdk.Session
	if was != nil {
		if session = was.(native).Session(); session == nil {
			return nil, nil, errors.New("there is no session to come back to")
		}
	}
	c, err := sdk.Dial(ctx, url, &sdk.Options{Resume: session})
	if err != nil {
		return nil, nil, err
	}
	return native{c}, c.Resumed(), nil
}

// Join implements link.
func (c native) Join(ctx context.Context, room string) error {
	_, err := c.Client.Join(ctx, room)
	return err
}

// Signal implements link.
func (c native) Signal(ctx context.Context, room, target string, n int64) error {
	return c.Client.Signal(ctx, room, target, n)
}

// sio is a connection of a Socket.IO client (protocol 5, WebSocket only) that recovers its state and, with what the event
// resumed tells it, sends signals again that did not arrive.
type sio struct {
	ws      *websocket.Conn
	id, pid string
	events  chan sdk.Message
	done    chan struct{}

	mu       sync.Mutex // guards what follows, and writing
	ended    bool
	offset   string
	commands uint64 // of the session
	signals  []numbered
	nextAck  uint64
	answers  map[uint64]chan api.Event
}

// numbered is a signal with its number among the commands of the session.
type numbered struct {
	number uint64
	packet string
}

const (
	// keptSignals is how many signals may be on their way to a server that has not read them yet.
	keptSignals = 256
	writeTime   = 10 * time.Second
	// silent is more than the server's ping interval and timeout together.
	silent = time.Minute
)

var errEnded = errors.New("the connection has ended")

func dialSocketIO(ctx context.Context, native string, was link) (link, *api.Resumed, error) {
	u, err := url.Parse(native)
	if err != nil {
		return nil, nil, err
	}
	u.Path, u.RawQuery = "/socket.io/", "EIO=4&transport=websocket"
	ws, resp, err := (&websocket.Dialer{}).DialContext(ctx, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	_ = resp.Body.Close()
	c := &sio{ws: ws, events: make(chan sdk.Message, 1<<12), done: make(chan struct{}), answers: map[uint64]chan api.Event{}}
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	var resumed *api.Resumed
	if was == nil {
		err = c.greet("")
	} else {
		resumed, err = c.recover(was.(*sio))
	}
	if !stop() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err != nil {
		_ = ws.Close()
		return nil, nil, err
	}
	go c.read()
	return c, resumed, nil
}

// greet enters the default namespace and learns the ids.
func (c *sio) greet(auth string) error {
	if _, err := c.next("0"); err != nil {
		return err
	}
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte("40"+auth)); err != nil {
		return err
	}
	text, err := c.next("40")
	if err != nil {
		return err
	}
	var connected struct{ SID, PID string }
	err = json.Unmarshal([]byte(text), &connected)
	c.id, c.pid = connected.SID, connected.PID
	return err
}

func (c *sio) next(prefix string) (string, error) {
	_, frame, err := c.ws.ReadMessage()
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(string(frame), prefix)
	if !ok {
		return "", fmt.Errorf("%w: %s instead of %s", sdk.ErrProtocol, frame, prefix)
	}
	return text, nil
}

// recover goes on with the session of a connection that has ended: what the server has not got is sent again before anything
// else. A nil answer is that the session is a new one.
func (c *sio) recover(was *sio) (*api.Resumed, error) {
	was.mu.Lock()
	auth := fmt.Sprintf(`{"pid":%q,"offset":%q}`, was.pid, was.offset)
	signals := was.signals
	was.mu.Unlock()
	if err := c.greet(auth); err != nil || c.id != was.id {
		return nil, err
	}
	c.pid = was.pid
	text, err := c.next("42")
	if err != nil {
		return nil, err
	}
	e, err := c.decode(text)
	if err != nil {
		return nil, err
	}
	resumed, ok := e.(*api.Resumed)
	if !ok {
		return nil, fmt.Errorf("%w: %s instead of resumed", sdk.ErrProtocol, text)
	}
	c.commands = resumed.Received
	for _, s := range signals {
		if s.number > resumed.Received {
			c.sendSignal(s.packet)
		}
	}
	return resumed, nil
}

// decode reads an event, and notes its offset.
func (c *sio) decode(text string) (api.Event, error) {
	var args []json.RawMessage
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		return nil, err
	}
	var offset string
	if json.Unmarshal(args[len(args)-1], &offset) == nil && strings.Contains(offset, ".") {
		c.offset = offset
	}
	return api.DecodeArray([]byte(text))
}

func (c *sio) read() {
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(silent))
		_, frame, err := c.ws.ReadMessage()
		if err != nil || c.take(string(frame)) != nil {
			break
		}
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	_ = c.ws.Close()
	close(c.events)
	close(c.done)
}

// take understands one packet.
func (c *sio) take(text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case text == "2":
		c.write("3")
	case strings.HasPrefix(text, "42"):
		e, err := c.decode(text[2:])
		if err != nil {
			return err
		}
		select {
		case c.events <- sdk.Message{Event: e, Name: e.Name(), Raw: []byte(text)}:
		default:
			return sdk.ErrEventsUnread
		}
	case strings.HasPrefix(text, "43"):
		at := strings.IndexByte(text, '[')
		id, err := strconv.ParseUint(text[2:max(at, 2)], 10, 64)
		if err != nil {
			return err
		}
		e, err := api.DecodeArray([]byte(text[at:]))
		if err != nil {
			return err
		}
		if answer := c.answers[id]; answer != nil {
			delete(c.answers, id)
			answer <- e
		}
	}
	return nil
}

// write sends a packet. What does not leave is sent again on the next connection, if it is a signal. mu is held, or nobody else
// has the connection yet.
func (c *sio) write(packet string) {
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTime))
	_ = c.ws.WriteMessage(websocket.TextMessage, []byte(packet))
}

// sendSignal is write for a signal.
func (c *sio) sendSignal(packet string) {
	c.commands++
	c.signals = append(c.signals, numbered{c.commands, packet})
	if len(c.signals) > keptSignals {
		c.signals = append([]numbered(nil), c.signals[1:]...)
	}
	c.write(packet)
}

// command sends a command and waits for its answer.
func (c *sio) command(ctx context.Context, op api.Op, room string) error {
	cmd := api.Command{Op: op, Room: []byte(room)}
	answer := make(chan api.Event, 1)
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return errEnded
	}
	c.nextAck++
	c.answers[c.nextAck] = answer
	c.commands++
	c.write("42" + strconv.FormatUint(c.nextAck, 10) + string(cmd.AppendArray(nil)))
	c.mu.Unlock()
	select {
	case e := <-answer:
		return sdk.Message{Event: e}.Err()
	case <-c.done:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ID implements link.
func (c *sio) ID() string { return c.id }

// Events implements link.
func (c *sio) Events() <-chan sdk.Message { return c.events }

// Done implements link.
func (c *sio) Done() <-chan struct{} { return c.done }

// Create implements link.
func (c *sio) Create(ctx context.Context, room string) error {
	return c.command(ctx, api.RoomCreate, room)
}

// Join implements link.
func (c *sio) Join(ctx context.Context, room string) error {
	return c.command(ctx, api.RoomJoin, room)
}

// Signal implements link.
func (c *sio) Signal(_ context.Context, room, target string, n int64) error {
	cmd := api.Command{
		Op: api.SignalSend, Room: []byte(room), TargetID: []byte(target), Data: strconv.AppendInt(nil, n, 10),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errEnded
	}
	c.sendSignal("42" + string(cmd.AppendArray(nil)))
	return nil
}

// Close implements link.
func (c *sio) Close() error {
	_ = c.ws.Close()
	<-c.done
	return nil
}
