package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalling/pkg/wsock"
)

// The benchmarks come in pairs: a Socket.IO session, and a bare wsock connection that does the same, which is what the
// package is measured against.

// quiet is a handler that counts.
type quiet struct {
	events   atomic.Int64
	sessions chan *Session
	done     chan struct{}
	target   int64
}

func (q *quiet) Connect(s *Session, _ json.RawMessage, _ *http.Request) error {
	q.sessions <- s
	return nil
}

func (q *quiet) Event(*Session, AckID, []byte, [][]byte) error {
	q.count()
	return nil
}

func (q *quiet) count() {
	if q.events.Add(1) == q.target {
		close(q.done)
	}
}

func (q *quiet) Disconnect(*Session, Reason) {}

// bench is a server for a benchmark on TCP.
type bench struct {
	*quiet
	addr    string
	session bool // Socket.IO, or bare
	bare    chan *wsock.Conn
}

func newBench(b testing.TB, session bool, target int64) *bench {
	b.Helper()
	q := &quiet{sessions: make(chan *Session, 10000), done: make(chan struct{}), target: target}
	be := &bench{quiet: q, session: session, bare: make(chan *wsock.Conn, 10000)}
	srv := NewServer(Config{Polling: true}, q)
	var handler http.Handler = srv
	var bare sync.WaitGroup
	if !session {
		handler = be.bareServer(&bare)
	}
	web := httptest.NewServer(handler)
	be.addr = web.Listener.Addr().String()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			b.Error(err)
		}
		web.Close()
		bare.Wait()
	})
	return be
}

// bareServer does with WebSockets what a service without Socket.IO would do: read, and beat.
func (be *bench) bareServer(wg *sync.WaitGroup) http.Handler {
	u := wsock.NewUpgrader(wsock.Options{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := u.Upgrade(w, r)
		if err != nil {
			return
		}
		wg.Go(func() {
			beat := time.AfterFunc(25*time.Second, func() { _ = conn.Ping() })
			defer beat.Stop()
			be.bare <- conn
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					conn.Finish()
					return
				}
				be.count()
			}
		})
	})
}

// dial opens n clients that keep no more than their connection.
func (be *bench) dial(b testing.TB, n int) []net.Conn {
	b.Helper()
	conns := make([]net.Conn, n)
	handshake := "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for i := range conns {
		conn, err := net.Dial("tcp", be.addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, handshake); err != nil {
			b.Fatal(err)
		}
		var head []byte
		for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one...) {
			if _, err := io.ReadFull(conn, one); err != nil {
				b.Fatal(err)
			}
		}
		conns[i] = conn
	}
	return conns
}

// masked is a client's text frame with a mask of zeros.
func masked(text string) []byte {
	f := []byte{0x81}
	if len(text) < 126 {
		f = append(f, 0x80|byte(len(text)))
	} else {
		f = append(f, 0x80|126, byte(len(text)>>8), byte(len(text)))
	}
	return append(append(f, 0, 0, 0, 0), text...)
}

// signal is an event as WebRTC clients send it most.
const signal = `["signal-send","lobby","A1b2C3d4E5f6G7h8I9j0",{"candidate":"candidate:842163049 1 udp 1677729535 ` +
	`203.0.113.17 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0 ufrag EEtu network-cost 999","sdpMid":"0","sdpMLineIndex":0}]`

// BenchmarkReceive: events of one client to the handler.
func BenchmarkReceive(b *testing.B) {
	for name, session := range map[string]bool{"socketio": true, "bare": false} {
		b.Run(name, func(b *testing.B) {
			be := newBench(b, session, int64(b.N))
			conn := be.dial(b, 1)[0]
			frame := masked("42" + signal)
			var batch []byte
			for range 32 {
				batch = append(batch, frame...)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; left -= 32 {
				if _, err := conn.Write(batch[:min(left, 32)*len(frame)]); err != nil {
					b.Fatal(err)
				}
			}
			<-be.done
		})
	}
}

// BenchmarkSendToMany: one event, encoded once, to 100 clients.
func BenchmarkSendToMany(b *testing.B) {
	const members = 100
	for name, session := range map[string]bool{"socketio": true, "bare": false} {
		b.Run(name, func(b *testing.B) {
			be := newBench(b, session, -1)
			var read sync.WaitGroup
			event := []byte(signal)
			frame := len(NewEvent(event).frame)
			if !session {
				event = append([]byte("42"), event...)
			}
			for _, conn := range be.dial(b, members) {
				want := int64(b.N) * int64(frame)
				read.Go(func() {
					if n, err := io.CopyN(io.Discard, conn, want); err != nil {
						b.Errorf("%d of %d bytes: %v", n, want, err)
					}
				})
			}
			send := be.sender(members, event)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				send()
			}
			read.Wait()
		})
	}
}

// sender returns what sends one event to all members. A queue that is full waits for its reader.
func (be *bench) sender(members int, event []byte) func() {
	sessions, bare := make([]*Session, 0, members), make([]*wsock.Conn, 0, members)
	for range members {
		if be.session {
			sessions = append(sessions, <-be.sessions)
		} else {
			bare = append(bare, <-be.bare)
		}
	}
	return func() {
		p, f := (*Packet)(nil), wsock.Frame(nil)
		if be.session {
			p = NewEvent(event)
		} else {
			f = wsock.TextFrame(event)
		}
		for _, s := range sessions {
			for errors.Is(s.Send(p), ErrQueueFull) {
				runtime.Gosched()
			}
		}
		for _, c := range bare {
			for errors.Is(c.Send(f), wsock.ErrQueueFull) {
				runtime.Gosched()
			}
		}
	}
}

// BenchmarkIdle: what an idle client costs the server, in bytes of heap and stacks.
func BenchmarkIdle(b *testing.B) {
	const clients = 2000
	for name, session := range map[string]bool{"socketio": true, "bare": false} {
		b.Run(name, func(b *testing.B) {
			be := newBench(b, session, -1)
			before := inUse()
			be.dial(b, clients)
			for range clients {
				if session {
					<-be.sessions
				} else {
					<-be.bare
				}
			}
			b.ReportMetric(float64(inUse()-before)/clients, "B/client")
			for range b.N { // there is nothing to repeat
			}
		})
	}
}

// inUse is the memory in use after a collection.
func inUse() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkParse: one event's framing.
func BenchmarkParse(b *testing.B) {
	in := []byte("2" + signal)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseMessage(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncode: one event, with and without the copy.
func BenchmarkEncode(b *testing.B) {
	in := []byte(signal)
	b.Run("NewEvent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewEvent(in)
		}
	})
	b.Run("SealEvent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			SealEvent(append(BeginEvent(len(in)), in...))
		}
	})
}

// BenchmarkPayloads: what a GET with ten events costs.
func BenchmarkPayloads(b *testing.B) {
	packets := make([]*Packet, 10)
	for i := range packets {
		packets[i] = NewEvent([]byte(signal))
	}
	b.Run("EIO=4", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encodeV4(packets)
		}
	})
	b.Run("EIO=3", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encodeTextV3(packets)
		}
	})
}
