package engine

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms/internal/room"
)

// An engine with nothing to look at sleeps until something is due, and no longer than that.
func TestTicksAreRareWhileNothingHappens(t *testing.T) {
	e := New(Options{Instance: bus.NewID(), Logger: slog.New(slog.DiscardHandler), Ownership: &doubtful{}, Fresh: true})
	e.nc = natstest.Connect(t, natstest.Run(t))
	e.ticks = time.NewTimer(time.Hour)
	start := time.Now()
	e.now, e.born = start, start
	e.freshStart("test")
	e.partitions[3] = &partition{number: 3, epoch: 1, rooms: room.New(1, room.Limits{OwnerGrace: 1000})}
	at := func(after time.Duration) {
		e.now = start.Add(after)
		e.hear()
		e.tick()
	}
	expect := func(want time.Duration, why string) {
		t.Helper()
		if got := e.untilTick(); got != want {
			t.Errorf("%s: %v until the next tick, want %v", why, got, want)
		}
	}
	at(0)
	expect(selfPingInterval, "nothing to do")
	e.now = start.Add(selfPingInterval - 200*time.Millisecond)
	expect(200*time.Millisecond, "a ping is due")
	e.now = start.Add(selfPingInterval - 50*time.Millisecond)
	expect(tickInterval, "a ping is due very soon")

	e.now = start.Add(450 * time.Millisecond)
	e.alive("g")
	at(time.Second)
	expect(selfPingInterval, "a gateway that was just heard")
	at(1750 * time.Millisecond)
	expect(200*time.Millisecond, "one that will be suspected")
	at(2 * time.Second)
	expect(tickInterval, "one that is suspected")
	e.alive("g")
	at(2100 * time.Millisecond)
	expect(selfPingInterval, "one that was heard again")

	e.handlePong(&nats.Msg{Subject: bus.PongSubject(e.opts.Instance, "g"), Header: nats.Header{"Status": {noResponders}}})
	if e.quiet {
		t.Error("quiet although nobody listens to a gateway's pings")
	}
	expect(tickInterval, "a gateway that may be dead")
	e.alive("g")

	e.partitions[4] = &partition{number: 4, epoch: 1}
	expect(selfPingInterval, "a partition that is neither active nor recovers")
	e.startRecovery(e.partitions[4])
	if e.quiet {
		t.Error("quiet although a partition recovers")
	}
	expect(tickInterval, "a partition that recovers")
	e.partitions[4] = nil

	expect(selfPingInterval, "quiet again")
	e.orphan(e.gateways["g"], "test")
	if e.quiet {
		t.Error("quiet although members are kept")
	}
	expect(tickInterval, "members that are kept")
	clear(e.orphans)

	expect(selfPingInterval, "quiet again")
	e.publishEvent(&bus.Event{Room: "r", Kind: bus.Left, Client: "c"})
	if e.quiet {
		t.Error("quiet although something has happened")
	}
	e.now = e.now.Add(2 * maxSilence)
	expect(tickInterval, "nothing was heard for a while")
}
