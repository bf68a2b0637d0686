package rooms_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
)

// BenchmarkAnswers sends joins and leaves through an embedded NATS and waits for the answers, so many under way at once.
func BenchmarkAnswers(b *testing.B) {
	for _, underway := range []int{1, 64, 512} {
		b.Run(strconv.Itoa(underway), func(b *testing.B) {
			srv := natstest.Run(b)
			s, err := rooms.New(rooms.Config{}, rooms.Options{InProcess: srv.Provider(), Fresh: true, NoAdmin: true, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-done; err != nil {
					b.Error(err)
				}
			}()
			for s.Ready(ctx) != nil {
				time.Sleep(time.Millisecond)
			}
			nc, answers := natstest.Connect(b, srv), make(chan *nats.Msg, underway+1)
			gateway := bus.NewID()
			if _, err := nc.ChanSubscribe(bus.GatewaySubjects(gateway), answers); err != nil {
				b.Fatal(err)
			}
			seq := uint64(0)
			var buf []byte
			send := func(op bus.Op, room int, client string) {
				seq += bus.Partitions
				c := bus.Command{Op: op, Gateway: gateway, Seq: seq, Room: "room-" + strconv.Itoa(room), Client: client}
				buf = c.Append(buf[:0])
				if err := nc.PublishRequest(bus.CommandSubject(bus.Partition(c.Room)), bus.AnswerSubject(gateway, seq), buf); err != nil {
					b.Fatal(err)
				}
			}
			for room := range underway {
				send(bus.Create, room, bus.NewClientID())
				<-answers
			}
			b.ReportAllocs()
			n, client := 0, bus.NewClientID()
			next := func() {
				op := bus.Join
				if n/underway%2 == 1 {
					op = bus.Leave
				}
				send(op, n%underway, client)
				n++
			}
			for range underway {
				next()
			}
			for b.Loop() {
				m := <-answers
				if bus.GatewaySubject(m.Subject); len(m.Data) == 0 {
					b.Fatal("nobody serves")
				}
				next()
			}
		})
	}
}
