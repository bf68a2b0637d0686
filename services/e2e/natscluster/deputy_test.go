package natscluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natskeys"
)

// TestNoDeputy tries to have rooms write what a gateway's key may not: nobody checks the reply subject of a request but
// whoever answers it. The answers have their own subjects; rooms must not answer anywhere else.
func TestNoDeputy(t *testing.T) {
	s := startSite(t, 1)
	rooms := s.Rooms("rooms", "ROOMS_OWNERSHIP=kv")
	startAll(t, rooms)
	waitForLog(t, rooms, "all partitions serve")
	p, err := connectAll(s.URL(), s.CA(natskeys.Gateway), s.Key)
	defer p.close()
	if err != nil {
		t.Fatal(err)
	}
	thief, victim := p.speaks[natskeys.Gateway], p.hears[natskeys.Gateway]
	room := labtest.Room(t)
	number := bus.Partition(room)
	command := bus.Command{Op: bus.Create, Gateway: gatewayID, Room: room, Client: "thief"}
	announce := bus.Announce{Gateway: gatewayID, AsOf: 1 << 20, Full: true, Last: true}
	record := fmt.Sprintf("$KV.%s.p.%d", bucket, number)
	before := ownership(t, p.speaks[natskeys.Rooms], record)

	heard, control := make(chan *nats.Msg, 1000), make(chan *nats.Msg, 1000)
	_, err = victim.ChanSubscribe("sig.ev.*", heard)
	must(t, err)
	_, err = victim.ChanSubscribe(bus.AllControl, control)
	must(t, err)
	answers, err := thief.SubscribeSync(bus.GatewaySubjects(gatewayID))
	must(t, err)
	must(t, flush(victim))
	var seq uint64
	for _, target := range []string{bus.EventSubject(token), record, bus.ResyncSubject, bus.DigestSubject(number)} {
		seq++
		command.Seq, announce.Seq = seq, seq+1<<30
		must(t, thief.PublishRequest(bus.CommandSubject(number), target, command.Append(nil)))
		must(t, thief.PublishRequest(bus.CommandSubject(number), target, []byte("no command")))
		must(t, thief.PublishRequest(bus.AnnounceSubject(number), target, announce.Append(nil)))
	}
	// A command in order comes last: behind its answer nothing of the others' is left.
	command.Op, command.Seq = bus.Leave, seq+1
	must(t, thief.PublishRequest(bus.CommandSubject(number), bus.AnswerSubject(gatewayID, command.Seq), command.Append(nil)))
	for m := next(t, answers); m.Subject != bus.AnswerSubject(gatewayID, command.Seq); m = next(t, answers) {
		t.Logf("heard on %s: %s", m.Subject, m.Data)
	}
	must(t, flush(victim))

	for len(heard) > 0 {
		if m := <-heard; m.Subject != bus.EventSubject(bus.Token(room)) {
			t.Errorf("rooms wrote to %s: %s", m.Subject, m.Data)
		}
	}
	for len(control) > 0 { // rooms has things of its own to say there, but none of them is an answer
		m := <-control
		var answer bus.Answer
		if err := answer.Decode(m.Data); err == nil && answer.Result != "" {
			t.Errorf("rooms wrote to %s: %s", m.Subject, m.Data)
		}
	}
	if after := ownership(t, p.speaks[natskeys.Rooms], record); after != before {
		t.Errorf("the ownership was %s and is %s", before, after)
	}
}

func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(labtest.Patience)
	must(t, err)
	return m
}

// ownership reads the record of a partition.
func ownership(t *testing.T, nc *nats.Conn, subject string) string {
	t.Helper()
	inbox := "_INBOX_rooms.test"
	sub, err := nc.SubscribeSync(inbox)
	must(t, err)
	defer func() { _ = sub.Unsubscribe() }()
	must(t, nc.PublishRequest("$JS.API.DIRECT.GET.KV_"+bucket+"."+subject, inbox, nil))
	return string(next(t, sub).Data)
}

// waitForLog waits until a process has logged something.
func waitForLog(t testing.TB, p *lab.Process, text string) {
	t.Helper()
	for {
		lines, more := p.Log().Since(0)
		if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) }) {
			return
		}
		select {
		case <-more:
		case <-labtest.Context(t).Done():
			t.Fatalf("%s does not log %q", p.Name, text)
		}
	}
}
