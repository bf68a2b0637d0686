package gateway_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/gateway"
)

// These benchmarks go from socket to socket: what a machine does for a client, sockets and the test's own share included.
// internal/hub's show where it goes.

// wire is a client's TCP connection, spoken to without a library so that it costs as little as possible.
type wire struct {
	net.Conn
	id  string
	buf [4096]byte
}

// frame is a command as a masked frame, the mask zero (RFC 6455 section 5.3).
func frame(c *api.Command) []byte {
	text := c.AppendObject(nil)
	if len(text) < 126 {
		return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	}
	return append([]byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}, text...)
}

// size is that of an event's frame.
func size(e api.Event) int {
	n := len(api.AppendObject(nil, e, nil))
	switch {
	case n < 126:
		return n + 2
	case n < 1<<16:
		return n + 4
	}
	return n + 10
}

// take reads n bytes.
func (w *wire) take(b *testing.B, n int) {
	for n > 0 {
		part := w.buf[:min(n, len(w.buf))]
		if _, err := io.ReadFull(w, part); err != nil {
			b.Fatal(err)
		}
		n -= len(part)
	}
}

func (w *wire) put(b *testing.B, frames []byte) {
	if _, err := w.Write(frames); err != nil {
		b.Fatal(err)
	}
}

func dialWire(b *testing.B, g *running) *wire {
	b.Helper()
	ws, resp, err := dialSilent(b, g.url(), (&net.Dialer{}).DialContext)
	if err != nil {
		b.Fatal(err)
	}
	_ = resp.Body.Close()
	_, text, err := ws.ReadMessage()
	if err != nil {
		b.Fatal(err)
	}
	e, _, err := api.DecodeObject(text)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ws.Close() })
	return &wire{Conn: ws.NetConn(), id: e.(*api.Welcome).ClientID}
}

// benchGateway runs a gateway on an embedded NATS server.
func benchGateway(b *testing.B) (*running, *owner) {
	b.Helper()
	srv := natstest.Run(b)
	g, err := fromSettingsWith(b, "nats://unused", nil, gateway.Options{InProcess: srv.Provider(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	r := start(b, g)
	o := newOwner(b, natstest.ConnectWith(b, natsbus.Config{}, natsbus.Options{InProcess: srv.Provider()}))
	o.gateway = g.Hub().ID()
	return r, o
}

// benchRoom lets n clients into a room of somebody elsewhere.
func benchRoom(b *testing.B, g *running, o *owner, n int) (*room, []*wire) {
	b.Helper()
	r := o.found(lobby, stranger("owner-elsewhere-0000"), "elsewhere")
	clients := make([]*wire, n)
	var joins []*command
	for i := range clients {
		clients[i] = dialWire(b, g)
		clients[i].put(b, frame(&api.Command{Op: api.RoomJoin, Room: []byte(lobby)}))
		c := o.expectCommand(bus.Join, lobby, stranger(clients[i].id))
		r.add(stranger(clients[i].id), c.Gateway, c.Seq)
		joins = append(joins, c)
	}
	for i, c := range joins { // with the same roster, so that there is nothing to tell the others
		r.answer(c)
		clients[i].take(b, size(joined(lobby, stranger(r.Owner), r.others(stranger(clients[i].id))...)))
	}
	return r, clients
}

func BenchmarkSocketsLocalSignal(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			g, o := benchGateway(b)
			_, clients := benchRoom(b, g, o, 2)
			data := []byte(`{"candidate":"` + strings.Repeat("x", 200) + `"}`)
			one := frame(&api.Command{Op: api.SignalSend, Room: []byte(lobby), TargetID: []byte(clients[1].id), Data: data})
			var many []byte
			for range batch {
				many = append(many, one...)
			}
			reply := size(received(lobby, stranger(clients[0].id), string(data))) * batch
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; n%batch == 0 {
					clients[0].put(b, many)
					clients[1].take(b, reply)
				}
			}
		})
	}
}

func BenchmarkSocketsCommand(b *testing.B) {
	g, o := benchGateway(b)
	c := dialWire(b, g)
	answer := (&bus.Answer{Result: bus.NotExists, Roster: bus.Roster{Stamp: bus.Stamp{Epoch: o.epoch}}}).Append(nil)
	o.die()
	if _, err := o.nc.Subscribe(bus.AllCommands, func(m *nats.Msg) { _ = m.Respond(answer) }); err != nil {
		b.Fatal(err)
	}
	o.flush()
	join := frame(&api.Command{Op: api.RoomJoin, Room: []byte(lobby)})
	reply := size(notExists(lobby))
	b.ReportAllocs()
	for b.Loop() {
		c.put(b, join)
		c.take(b, reply)
	}
}

func BenchmarkSocketsEvent(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			g, o := benchGateway(b)
			r, clients := benchRoom(b, g, o, n)
			who := stranger("somebody-elsewhere00")
			comes, goes := size(clientJoined(lobby, who)), size(clientLeft(lobby, who))
			b.ReportAllocs()
			for in := false; b.Loop(); in = !in {
				e, told := bus.Event{Room: lobby, Kind: bus.Joined, Client: string(who), Gateway: "elsewhere", Seq: 1}, comes
				if in {
					e.Kind, told = bus.Left, goes
				}
				r.Version++
				e.Stamp = r.Stamp
				r.publish(&e)
				for _, c := range clients {
					c.take(b, told)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
		})
	}
}
