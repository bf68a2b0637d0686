package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"signalling/api/client"
)

// Door is how a peer speaks to the server.
type Door string

// The doors.
const (
	Native   Door = "native"
	SocketIO Door = "socketio" // Engine.IO 4 over WebSocket
)

// peer is one client. It keeps as little as it can: a load generator must be cheaper than what it loads.
type peer struct {
	door Door
	ws   *websocket.Conn
	id   string
	room string // the last that it entered

	mu      sync.Mutex // serialises writes
	scratch []byte

	// on is called for each event by the reading goroutine. args is the event's JSON: the object of the native door, the
	// array of the Socket.IO door, valid during the call.
	on func(name string, args []byte)
	// answers receives the names of events that answer a command.
	answers chan string
	// others counts the members that it was told of by client-joined.
	others atomic.Int64
	done   chan struct{}
	err    error
}

var dialer = websocket.Dialer{
	HandshakeTimeout: 30 * time.Second,
	ReadBufferSize:   4096,
	WriteBufferPool:  new(sync.Pool),
}

// dial connects a peer to the server at base (http://host:port).
func dial(ctx context.Context, base string, door Door) (*peer, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	u.Path = "/ws"
	if door == SocketIO {
		u.Path, u.RawQuery = "/socket.io/", "EIO=4&transport=websocket"
	}
	ws, resp, err := dialer.DialContext(ctx, u.String(), nil)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	p := &peer{door: door, ws: ws, answers: make(chan string, 64), done: make(chan struct{})}
	if err := p.greet(); err != nil {
		_ = ws.Close()
		return nil, err
	}
	return p, nil
}

// greet learns the peer's id.
func (p *peer) greet() error {
	for p.id == "" {
		_, m, err := p.ws.ReadMessage()
		if err != nil {
			return err
		}
		var w struct{ ClientID, Sid string }
		switch {
		case p.door == Native:
			err = json.Unmarshal(m, &w)
			p.id = w.ClientID
		case bytes.HasPrefix(m, []byte("0")):
			err = p.write([]byte("40"))
		case bytes.HasPrefix(m, []byte("40")):
			err = json.Unmarshal(m[2:], &w)
			p.id = w.Sid
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// start begins to read.
func (p *peer) start() { go p.read() }

func (p *peer) read() {
	defer close(p.done)
	for {
		_, r, err := p.ws.NextReader()
		if err != nil {
			p.err = err
			return
		}
		buf := buffers.Get().(*bytes.Buffer)
		buf.Reset()
		if _, err = buf.ReadFrom(r); err == nil {
			err = p.take(buf.Bytes())
		}
		buffers.Put(buf)
		if err != nil {
			p.err = err
			return
		}
	}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

var errPacket = errors.New("unexpected packet")

func (p *peer) take(m []byte) error {
	if p.door == Native {
		return p.event(m, `{"event":"`)
	}
	switch {
	case len(m) > 0 && m[0] == '2':
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.write([]byte("3"))
	case bytes.HasPrefix(m, []byte("42")):
		return p.event(m[2:], `["`)
	}
	return errPacket
}

// event takes the event's name from where it stands, which is the same in each frame.
func (p *peer) event(args []byte, prefix string) error {
	rest, ok := bytes.CutPrefix(args, []byte(prefix))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return fmt.Errorf("%w: %.80q", errPacket, args)
	}
	name := nameOf(rest[:end])
	if answer[name] {
		select {
		case p.answers <- name:
		default:
		}
	}
	if name == client.ClientJoinedName {
		p.others.Add(1)
	}
	if p.on != nil {
		p.on(name, args)
	}
	return nil
}

// answer says which events answer a command.
var answer = map[string]bool{
	client.RoomCreatedName: true, client.RoomExistsName: true, client.RoomJoinedName: true, client.RoomNotExistsName: true,
	client.RoomLeftName: true, client.NotInRoomName: true, client.TargetNotFoundName: true, client.ErrorName: true,
}

// nameOf returns the constant of a known name, so that it costs no memory.
func nameOf(b []byte) string {
	for _, n := range client.EventNames {
		if n == string(b) {
			return n
		}
	}
	return string(b)
}

func (p *peer) write(m []byte) error { return p.ws.WriteMessage(websocket.TextMessage, m) }

// send writes a command.
func (p *peer) send(c *client.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.door == Native {
		p.scratch = c.AppendObject(p.scratch[:0])
	} else {
		p.scratch = c.AppendArray(append(p.scratch[:0], "42"...))
	}
	return p.write(p.scratch)
}

// do sends a command about a room and waits for the answer that it wants.
func (p *peer) do(ctx context.Context, op client.Op, room, want string) error {
	if err := p.send(&client.Command{Op: op, Room: []byte(room)}); err != nil {
		return err
	}
	select {
	case got := <-p.answers:
		if got != want {
			return fmt.Errorf("%s was answered with %s", op, got)
		}
		return nil
	case <-p.done:
		return fmt.Errorf("%s: %w", op, p.err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) create(ctx context.Context, room string) error {
	p.room = room
	return p.do(ctx, client.RoomCreate, room, client.RoomCreatedName)
}

func (p *peer) join(ctx context.Context, room string) error {
	p.room = room
	return p.do(ctx, client.RoomJoin, room, client.RoomJoinedName)
}

func (p *peer) leave(ctx context.Context, room string) error {
	return p.do(ctx, client.RoomLeave, room, client.RoomLeftName)
}

// close ends the connection without a farewell; the server must notice by itself.
func (p *peer) close() {
	_ = p.ws.Close()
	<-p.done
}
