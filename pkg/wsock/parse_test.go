package wsock

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// memory is a connection whose peer has said all that it will, and which gives it out in pieces.
type memory struct {
	net.Conn // nil: nothing else is called
	in       []byte
	piece    int
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), m.piece)], m.in)
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

// ours reads what a client says, in pieces.
func ours(t *testing.T, in []byte, piece int) (all []received, end error) {
	t.Helper()
	c, err := NewUpgrader(Options{ReadLimit: fuzzLimit}).Upgrade(hijacked{httptest.NewRecorder(), &memory{in: in, piece: piece}}, handshake())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Finish()
	for {
		op, msg, err := c.ReadMessage()
		if err != nil {
			return all, err
		}
		all = append(all, received{op, string(msg)})
	}
}

// theirs is ours by gorilla/websocket.
func theirs(t *testing.T, in []byte) (all []received, end error) {
	t.Helper()
	c, err := (&websocket.Upgrader{}).Upgrade(hijacked{httptest.NewRecorder(), &memory{in: in, piece: 1 << 20}}, handshake(), nil)
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
	if their, ok := errors.AsType[*websocket.CloseError](err); ok && their.Code != closeAbnormal {
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
	b[1] |= maskBit
	out := append(append([]byte(nil), b[:head]...), key...)
	for i, x := range payload {
		out = append(out, x^key[i%4])
	}
	return out
}

// What a client may say, gorilla/websocket understands as we do, however the network cuts it.
func FuzzParser(f *testing.F) {
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
			if peerCode(end) == 1014 || end.Error() == (&CloseError{Reason: oneByte}).Error() {
				return // a code that gorilla does not know yet, and a close frame that it takes for one without a code
			}
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

func BenchmarkParse(b *testing.B) {
	for name, size := range map[string]int{"64 B": 64, "300 B": 300, "4 KB": 4096} {
		b.Run(name, func(b *testing.B) {
			frame := masked(0x82, make([]byte, size))
			work := make([]byte, len(frame))
			c := &Conn{o: (&Options{}).withDefaults()}
			c.in.space = make([]byte, inputBuffer)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(work, frame)
				c.in.data = work
				if _, _, ok, err := c.next(); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
