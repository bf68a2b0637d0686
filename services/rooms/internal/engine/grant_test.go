package engine

import (
	"log/slog"
	"testing"
	"time"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms/internal/ownership"
)

// doubtful counts what an engine tells its ownership.
type doubtful struct {
	grants             chan ownership.Grant
	doubts, challenges int
}

func (d *doubtful) Grants() <-chan ownership.Grant { return d.grants }
func (d *doubtful) Challenge(int, uint64)          { d.challenges++ }
func (d *doubtful) Doubt()                         { d.doubts++ }

// A grant that was asked for before we were cut off says nothing about the time since.
func TestAGrantFromBeforeAFreshStartIsNotUsed(t *testing.T) {
	srv := natstest.Run(t)
	d := &doubtful{}
	e := New(Options{Instance: bus.NewID(), Logger: slog.New(slog.DiscardHandler), Ownership: d})
	e.nc = natstest.Connect(t, srv)
	e.now = time.Now()
	e.freshStart("test")
	asked, lease := e.now, time.Minute
	grant := func(asked time.Time) *partition {
		t.Helper()
		if err := e.granted(ownership.Grant{Partition: 3, Epoch: 5, Until: asked.Add(lease), Asked: asked}); err != nil {
			t.Fatal(err)
		}
		return e.partitions[3]
	}
	if p := grant(asked); !e.serves(p) || d.doubts != 0 {
		t.Errorf("serves %v after %d doubts", e.serves(p), d.doubts)
	}
	e.now = e.now.Add(10 * time.Second) // stopped in between
	if p := grant(asked); e.serves(p) || d.doubts != 1 {
		t.Errorf("deaf: serves %v after %d doubts", e.serves(p), d.doubts)
	}
	e.hear()
	if p := e.partitions[3]; e.serves(p) || d.doubts != 2 {
		t.Errorf("fresh start: serves %v after %d doubts", e.serves(p), d.doubts)
	}
	if p := grant(asked); e.serves(p) || d.doubts != 3 {
		t.Errorf("an old grant: serves %v after %d doubts", e.serves(p), d.doubts)
	}
	if p := grant(e.now); !e.serves(p) || d.doubts != 3 {
		t.Errorf("a new grant: serves %v after %d doubts", e.serves(p), d.doubts)
	}
	e.now = e.now.Add(lease)
	e.link.heard = e.now
	if e.serves(e.partitions[3]) {
		t.Error("serves beyond its lease")
	}
}

// Whoever hears that another owner has asked the gateways stops at once.
func TestAnotherOwnersQuestionStopsUs(t *testing.T) {
	srv := natstest.Run(t)
	d := &doubtful{}
	e := New(Options{Instance: bus.NewID(), Logger: slog.New(slog.DiscardHandler), Ownership: d})
	e.nc = natstest.Connect(t, srv)
	e.now = time.Now()
	if err := e.listen(); err != nil {
		t.Fatal(err)
	}
	e.freshStart("test")
	if err := e.granted(ownership.Grant{Partition: 3, Epoch: 5, Until: e.now.Add(time.Minute), Asked: e.now}); err != nil {
		t.Fatal(err)
	}
	e.handle(<-e.inbox) // our own question; we certainly hear those of others now
	other := natstest.Connect(t, srv)
	for _, r := range []bus.Resync{{Partition: 3, Epoch: 5}, {Partition: 4, Epoch: 9}, {Partition: -1, Epoch: 9}, {Partition: 3, Epoch: 6}} {
		if err := other.Publish(bus.ResyncSubject, r.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		m := <-e.inbox
		if d.challenges != 0 || !e.serves(e.partitions[3]) {
			t.Errorf("stopped too early, before %s", m.Data)
		}
		e.handle(m)
	}
	if d.challenges != 1 || e.serves(e.partitions[3]) {
		t.Errorf("%d challenges, serves %v", d.challenges, e.serves(e.partitions[3]))
	}
}
