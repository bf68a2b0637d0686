package labtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

// J is a frame as its fields.
type J = map[string]any

// AnyText stands for a string that must be there and not be empty, such as an error's message.
const AnyText = "(any text)"

// Conn is a client of the native door without a library: it sends what it is told, also what no client should, and sees
// every frame.
type Conn struct {
	// ID is the client's id, and Welcome the whole first frame.
	ID      string
	Welcome J

	t      testing.TB
	ws     *websocket.Conn
	frames chan string
	pongs  chan string
	mu     sync.Mutex // guards writing
	end    error      // why it ended; readable when frames is closed
}

// Connect opens a connection at the next gateway and takes its welcome.
func (s *Site) Connect() *Conn {
	s.t.Helper()
	return Open(s.t, s.NextURL(), nil)
}

// ConnectAt opens a connection at the i-th gateway, counted from 0.
func (s *Site) ConnectAt(i int) *Conn {
	s.t.Helper()
	return Open(s.t, s.URLOf(i), nil)
}

// Open opens a connection and takes its welcome. It is closed with the test.
func Open(t testing.TB, url string, dialer *websocket.Dialer) *Conn {
	t.Helper()
	c := OpenUnread(t, url, dialer)
	c.Read()
	c.Welcome = c.Next()
	c.ID, _ = c.Welcome["clientId"].(string)
	return c
}

// OpenUnread opens a connection and reads nothing before Read is called.
func OpenUnread(t testing.TB, url string, dialer *websocket.Dialer) *Conn {
	t.Helper()
	if dialer == nil {
		dialer = &websocket.Dialer{}
	}
	ws, resp, err := dialer.DialContext(Context(t), url, nil)
	if err != nil {
		t.Fatalf("connecting to %s: %v", url, err)
	}
	_ = resp.Body.Close()
	c := &Conn{t: t, ws: ws, frames: make(chan string, 1<<16), pongs: make(chan string, 16)}
	ws.SetPongHandler(func(data string) error {
		c.pongs <- data
		return nil
	})
	t.Cleanup(c.Abort)
	return c
}

// Read starts to read, until the end of the connection.
func (c *Conn) Read() {
	var reader sync.WaitGroup
	c.t.Cleanup(reader.Wait)
	c.t.Cleanup(c.Abort) // runs before reader.Wait
	reader.Go(func() {
		defer close(c.frames)
		for {
			kind, frame, err := c.ws.ReadMessage()
			if err == nil && kind != websocket.TextMessage {
				err = fmt.Errorf("the server sent a frame of kind %d", kind)
			}
			if err != nil {
				c.end = err
				return
			}
			c.frames <- string(frame)
		}
	})
}

// Subprotocol is what the server chose.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// Send sends text frames as they are.
func (c *Conn) Send(frames ...string) {
	c.t.Helper()
	for _, f := range frames {
		c.SendKind(websocket.TextMessage, f)
	}
}

// SendKind sends one frame of a kind of RFC 6455.
func (c *Conn) SendKind(kind int, data string) {
	c.t.Helper()
	if err := c.TrySend(kind, data); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// TrySend is SendKind for a connection that may have ended.
func (c *Conn) TrySend(kind int, data string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(Patience))
	return c.ws.WriteMessage(kind, []byte(data))
}

// SendFragments sends one text message in several frames (RFC 6455 section 5.4).
func (c *Conn) SendFragments(parts ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, part := range parts {
		if err := c.writeFrame(i == 0, i == len(parts)-1, part); err != nil {
			c.t.Fatalf("sending a fragment: %v", err)
		}
	}
}

// writeFrame writes one masked frame of a text message; gorilla decides for itself where to split, so this does not ask it.
func (c *Conn) writeFrame(first, last bool, data string) error {
	head := []byte{0}
	if first {
		head[0] = 1 // text; the others are continuations
	}
	if last {
		head[0] |= 0x80
	}
	switch n := len(data); {
	case n < 126:
		head = append(head, 0x80|byte(n))
	case n < 1<<16:
		head = append(head, 0x80|126, byte(n>>8), byte(n)) //nolint:gosec // G115: its lower half
	default:
		return errors.New("a fragment is too long for this test")
	}
	head = append(head, 0, 0, 0, 0) // a mask that changes nothing
	_ = c.ws.NetConn().SetWriteDeadline(time.Now().Add(Patience))
	_, err := c.ws.NetConn().Write(append(head, data...))
	return err
}

// SendRaw sends bytes that need not be a WebSocket frame.
func (c *Conn) SendRaw(data string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.NetConn().SetWriteDeadline(time.Now().Add(Patience))
	if _, err := c.ws.NetConn().Write([]byte(data)); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// ExpectPong waits for the answer to a ping.
func (c *Conn) ExpectPong(data string) {
	c.t.Helper()
	select {
	case got := <-c.pongs:
		if got != data {
			c.t.Fatalf("%s: pong %q, want %q", c.ID, got, data)
		}
	case <-time.After(Patience):
		c.t.Fatalf("%s: no pong came", c.ID)
	}
}

// Emit sends a command as its fields.
func (c *Conn) Emit(fields J) {
	c.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Send(string(text))
}

// NextText waits for the next frame.
func (c *Conn) NextText() string {
	c.t.Helper()
	select {
	case frame, ok := <-c.frames:
		if !ok {
			c.t.Fatalf("%s: the connection ended: %v", c.ID, c.end)
		}
		return frame
	case <-time.After(Patience):
		c.t.Fatalf("%s: no frame came", c.ID)
	}
	return ""
}

// Next waits for the next frame and returns its fields.
func (c *Conn) Next() J {
	c.t.Helper()
	text := c.NextText()
	var fields J
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		c.t.Fatalf("%s: %v: %s", c.ID, err, text)
	}
	return fields
}

// Expect waits for the next frames, which must have exactly these fields, in this order.
func (c *Conn) Expect(want ...J) {
	c.t.Helper()
	for _, w := range want {
		got := c.Next()
		if diff := cmp.Diff(plain(c.t, w), blur(w, got)); diff != "" {
			c.t.Fatalf("%s: frame (-want +got):\n%s", c.ID, diff)
		}
	}
}

// ExpectSet waits for as many frames, which must be these, in any order.
func (c *Conn) ExpectSet(want ...J) {
	c.t.Helper()
	for range want {
		got := c.Next()
		i := slices.IndexFunc(want, func(w J) bool { return w != nil && cmp.Equal(plain(c.t, w), blur(w, maps.Clone(got))) })
		if i < 0 {
			c.t.Fatalf("%s: frame %v, still to come are %v", c.ID, got, want)
		}
		want = slices.Clone(want)
		want[i] = nil
	}
}

// ExpectText waits for the next frame, which must be exactly this text.
func (c *Conn) ExpectText(want string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.NextText()); diff != "" {
		c.t.Fatalf("%s: frame (-want +got):\n%s", c.ID, diff)
	}
}

// plain makes of a J what decoding its JSON text would.
func plain(t testing.TB, want J) (fields J) {
	t.Helper()
	text, err := json.Marshal(want)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// blur puts AnyText where it is wanted and some text is.
func blur(want, got J) J {
	for name, value := range want {
		if text, ok := got[name].(string); ok && value == AnyText && text != "" {
			got[name] = AnyText
		}
	}
	return got
}

// fence is a room that never exists.
const fence = "no room has this name"

// ExpectNothing checks that no frame waits: the next one must be the answer to a command that is sent now. It does not see
// what is still on its way from elsewhere: for that, let something happen in the same room, and Expect just it.
func (c *Conn) ExpectNothing() {
	c.t.Helper()
	c.Emit(J{"event": "room-join", "room": fence})
	c.Expect(J{"event": "room-not-exists", "room": fence})
}

// ExpectClose waits for the end of the connection, which must come with no more frames and with the server's close code.
func (c *Conn) ExpectClose(code int) {
	c.t.Helper()
	c.expectClose(code, false)
}

// ExpectCloseAfterFrames is ExpectClose for a connection that may get more frames before.
func (c *Conn) ExpectCloseAfterFrames(code int) {
	c.t.Helper()
	c.expectClose(code, true)
}

func (c *Conn) expectClose(code int, frames bool) {
	c.t.Helper()
	deadline := time.After(Patience)
	for {
		select {
		case frame, ok := <-c.frames:
			if ok && frames {
				continue
			}
			if ok {
				c.t.Fatalf("%s: frame %s, want close code %d", c.ID, frame, code)
			}
			var end *websocket.CloseError
			if !errors.As(c.end, &end) || end.Code != code {
				c.t.Fatalf("%s: the connection ended with %v, want close code %d", c.ID, c.end, code)
			}
			return
		case <-deadline:
			c.t.Fatalf("%s: the connection does not end, want close code %d", c.ID, code)
		}
	}
}

// Close says good-bye by the book (RFC 6455 section 7) and waits for the server's answer.
func (c *Conn) Close() {
	c.t.Helper()
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(Patience)); err != nil {
		c.t.Fatalf("%s: closing: %v", c.ID, err)
	}
	c.ExpectCloseAfterFrames(websocket.CloseNormalClosure)
}

// Abort ends the connection without a word, as a process that is killed: the server's system gets a TCP reset.
func (c *Conn) Abort() {
	if tcp, ok := c.ws.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.ws.Close()
}

// Quote returns s as a JSON string.
func Quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
