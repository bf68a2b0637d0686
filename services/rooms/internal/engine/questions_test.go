package engine

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms/internal/ownership"
)

// Whoever asks for very many lists keeps no command waiting, and no memory.
func TestCommandsGoBeforeQuestions(t *testing.T) {
	const room, gateway, more = "lobby", "gateway-1", 6
	srv := natstest.Run(t)
	e := New(Options{Instance: bus.NewID(), Logger: slog.New(slog.DiscardHandler), Ownership: ownership.NewStatic(1), Fresh: true})
	own, nc := natstest.Connect(t, srv), natstest.Connect(t, srv)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- e.Run(ctx, own, time.Second) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	held, release := make(chan struct{}), make(chan struct{})
	go func() { _ = e.do(ctx, func() { close(held); <-release }) }()
	<-held
	if err := own.FlushTimeout(natstest.Timeout); err != nil { // what it has subscribed
		t.Fatal(err)
	}

	answers := make(chan *nats.Msg, 100)
	inbox := bus.OperatorInbox("test")
	for _, subject := range []string{inbox + ".>", bus.AnswerSubject(gateway, bus.Partitions)} {
		if _, err := nc.ChanSubscribe(subject, answers); err != nil {
			t.Fatal(err)
		}
	}
	send := func(subject, reply string, data []byte) {
		t.Helper()
		if err := nc.PublishRequest(subject, reply, data); err != nil {
			t.Fatal(err)
		}
	}
	next := func() *nats.Msg {
		t.Helper()
		select {
		case m := <-answers:
			return m
		case <-time.After(natstest.Timeout):
			t.Fatal("no answer")
			return nil
		}
	}
	question, err := (&operate.Question{Op: operate.Rooms}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for range maxQuestions + more {
		send(bus.AdminPartition(bus.Ask, 3), inbox+".x", question)
	}
	for range more {
		if m := next(); !strings.Contains(string(m.Data), string(operate.Busy)) {
			t.Fatalf("%s %s", m.Subject, m.Data)
		}
	}
	c := bus.Command{Op: bus.Create, Gateway: gateway, Seq: bus.Partitions, Room: room, Client: "alice"}
	send(bus.CommandSubject(bus.Partition(room)), bus.AnswerSubject(gateway, c.Seq), c.Append(nil))
	for _, conn := range []*nats.Conn{nc, own} { // then it has arrived
		if err := conn.FlushTimeout(natstest.Timeout); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	first := -1
	for n := range maxQuestions + 1 {
		if m := next(); !strings.HasPrefix(m.Subject, inbox) {
			first = n
		} else if !strings.Contains(string(m.Data), `"total"`) {
			t.Errorf("%s", m.Data)
		}
	}
	if first < 0 || first > 1 { // a tick may have let one question through
		t.Errorf("the command was answered after %d questions", first)
	}
}
