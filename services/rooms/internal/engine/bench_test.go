package engine

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms/internal/ownership"
)

// started returns an engine that serves every partition and whose goroutine is the test's own.
func started(tb testing.TB) *Engine {
	tb.Helper()
	srv := natstest.Run(tb)
	e := New(Options{Instance: bus.NewID(), Logger: slog.New(slog.DiscardHandler), Ownership: ownership.NewStatic(1), Fresh: true})
	e.nc, e.now = natstest.Connect(tb, srv), time.Now()
	if err := e.firstGrants(); err != nil {
		tb.Fatal(err)
	}
	return e
}

// BenchmarkCommand is the way of a command through the engine: decode, state, event, answer.
func BenchmarkCommand(b *testing.B) {
	for _, members := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(members), func(b *testing.B) {
			e := started(b)
			room, gateway := "meeting-room-17", bus.NewID()
			message := func(op bus.Op, client string, seq uint64, have uint64) *nats.Msg {
				c := bus.Command{Op: op, Gateway: gateway, Seq: seq, Room: room, Client: client, Have: have}
				return &nats.Msg{Subject: bus.CommandSubject(bus.Partition(room)), Reply: bus.AnswerSubject(gateway, seq), Data: c.Append(nil)}
			}
			e.handleCommand(message(bus.Create, bus.NewClientID(), bus.Partitions, 0))
			for i := range members - 1 {
				e.handleCommand(message(bus.Join, bus.NewClientID(), uint64(i+2)*bus.Partitions, 0))
			}
			client := bus.NewClientID()
			join, leave := message(bus.Join, client, 1000*bus.Partitions, 0), message(bus.Leave, client, 1001*bus.Partitions, 0)
			b.ReportAllocs()
			for b.Loop() {
				clear(e.gateways[gateway].seen[bus.Partition(room)].bits[:]) // or it would be a repetition
				e.handleCommand(join)
				e.handleCommand(leave)
			}
		})
	}
}
