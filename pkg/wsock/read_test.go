package wsock

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// memory is a connection whose peer has said all that it will.
type memory struct {
	net.Conn // nil: nothing else is called
	in       []byte
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.in)
	m.in = m.in[n:]
	return n, nil
}
func (*memory) Write(p []byte) (int, error)      { return len(p), nil }
func (*memory) Close() error                     { return nil }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }

// hijacked answers a handshake with a connection.
type hijacked struct {
	*httptest.ResponseRecorder
	nc net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReader(h.nc), bufio.NewWriter(h.nc)), nil
}

func handshake() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		r.Header.Set(name, value)
	}
	return r
}

const fuzzLimit = 1 << 16

type received struct {
	op  int
	msg string
}

// collecting is a Sink that keeps what it gets.
type collecting struct {
	c   *Conn
	all []received
	end chan error
}

func (s *collecting) Message(op int, msg []byte) { s.all = append(s.all, received{op, string(msg)}) }
func (*collecting) Ping() bool                   { return true }
func (*collecting) Pong([]byte)                  {}
func (s *collecting) Idle()                      { s.c.Flush() }
func (s *collecting) End(err error) {
	s.c.Finish()
	s.end <- err
}

// ours serves a client that says something in pieces and ends.
func ours(t *testing.T, in []byte, piece int) (all []received, end error) {
	t.Helper()
	server, client := socketPair(t)
	c, err := NewUpgrader(Options{ReadLimit: fuzzLimit, CloseTimeout: 5 * time.Second}).Upgrade(
		hijacked{httptest.NewRecorder(), server}, handshake())
	if err != nil {
		t.Fatal(err)
	}
	s := &collecting{c: c, end: make(chan error, 1)}
	c.Serve(s)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	for len(in) > 0 {
		n := min(len(in), piece)
		if _, err := client.Write(in[:n]); err != nil {
			break // it was refused
		}
		in = in[n:]
	}
	_ = client.CloseWrite()
	select {
	case err = <-s.end:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection does not end")
	}
	_ = client.Close()
	return s.all, err
}

// socketPair is a connection's two ends, as plain sockets.
func socketPair(t *testing.T) (server net.Conn, client *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// theirs is ours by gorilla/websocket.
func theirs(t *testing.T, in []byte) (all []received, end error) {
	t.Helper()
	c, err := (&websocket.Upgrader{}).Upgrade(hijacked{httptest.NewRecorder(), &memory{in: in}}, handshake(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(fuzzLimit)
	for {
		op, msg, err := c.ReadMessage()
		if err != nil {
			return all, err
		}
		if op == OpText && !utf8.Valid(msg) {
			return all, errBadText
		}
		all = append(all, received{op, string(msg)})
	}
}

// peerCode is the code of a close frame of the peer, 0 if it ended otherwise.
func peerCode(err error) int {
	if our, ok := errors.AsType[*CloseError](err); ok && our.ByPeer {
		return our.Code
	}
	if their, ok := errors.AsType[*websocket.CloseError](err); ok && their.Code != websocket.CloseAbnormalClosure {
		return their.Code
	}
	return 0
}

// masked is a frame as a client sends it.
func masked(first byte, payload []byte) []byte {
	key := []byte{1, 2, 3, 4}
	b := Seal(0, append(Begin(len(payload)), payload...))
	head := len(b) - len(payload)
	b[0] = first
	b[1] |= 0x80
	out := append(append([]byte(nil), b[:head]...), key...)
	for i, x := range payload {
		out = append(out, x^key[i%4])
	}
	return out
}

// What a client says is understood as gorilla/websocket alone understands it, however the network cuts it, and wherever the
// connection is parked.
func FuzzRead(f *testing.F) {
	text, long := []byte("grüezi"), bytes.Repeat([]byte("0123456789abcdef"), 70)
	for _, seed := range [][]byte{
		masked(0x81, text), masked(0x82, long), masked(0x81, nil), masked(0x81, bytes.Repeat(long, 18)),
		append(masked(0x01, text), masked(0x80, text)...),
		append(append(masked(0x01, text[:3]), masked(0x89, []byte("ping"))...), masked(0x80, text[3:])...),
		append(append(masked(0x02, nil), masked(0x00, long)...), masked(0x80, nil)...),
		masked(0x88, []byte{0x03, 0xe8, 'b', 'y', 'e'}), masked(0x88, nil), masked(0x88, []byte{3}), masked(0x88, []byte{3, 0xed}),
		masked(0x81, []byte{0xff}), masked(0x83, nil), masked(0xc1, nil), masked(0x09, nil), masked(0x80, nil), masked(0x8a, long),
		append(masked(0x01, text), masked(0x81, text)...),
		{0x81, 0},
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		masked(0x82, bytes.Repeat(long, 59)),
	} {
		f.Add(seed, uint16(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint16) {
		want, wantEnd := theirs(t, bytes.Clone(in))
		for _, n := range []int{1 << 20, int(piece) + 1} {
			got, end := ours(t, bytes.Clone(in), n)
			if len(got) != len(want) || peerCode(end) != peerCode(wantEnd) {
				t.Fatalf("pieces of %d: %d messages, then %v; want %d, then %v", n, len(got), end, len(want), wantEnd)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("pieces of %d: message %d is %.40q, want %.40q", n, i, got[i].msg, want[i].msg)
				}
			}
		}
	})
}

// anySocket says that a connection is a plain socket.
type anySocket struct{ syscall.RawConn }

// BenchmarkRead is a message from the buffer of the socket to the Sink.
func BenchmarkRead(b *testing.B) {
	for name, size := range map[string]int{"64 B": 64, "300 B": 300, "4 KB": 4096} {
		b.Run(name, func(b *testing.B) {
			frame := masked(0x82, make([]byte, size))
			c, err := NewUpgrader(Options{}).Upgrade(hijacked{httptest.NewRecorder(), &memory{}}, handshake())
			if err != nil {
				b.Fatal(err)
			}
			c.in.rc = anySocket{}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.in.buf = inputBuffers.Get().(*[inputBuffer]byte)
				c.in.data = c.in.buf[:copy(c.in.buf[:], frame)]
				if _, _, ok, err := c.next(); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
