package rooms_test

import (
	"fmt"
	"time"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natstest"
)

// holding is what a gateway that answers questions holds of a room.
type holding struct {
	view   bus.Roster
	client string
	seq    uint64
}

// announcing makes the gateway answer every question with what it holds, and take the corrections.
func (g *fakeGateway) announcing() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = map[string]*holding{}
}

// answerResync announces what the gateway holds in the partition. It is called under the lock.
func (g *fakeGateway) answerResync(r bus.Resync) {
	partitions := []int{r.Partition}
	if r.Partition < 0 {
		partitions = nil
		for p := range bus.Partitions {
			partitions = append(partitions, p)
		}
	}
	for _, p := range partitions {
		g.autoSeq++
		a := bus.Announce{Gateway: g.id, Seq: 1<<40 + g.autoSeq, AsOf: g.asOf, Full: true, Last: true, Epoch: g.epochs[p]}
		for name, h := range g.held {
			if bus.Partition(name) == p {
				a.Rooms = append(a.Rooms, bus.AnnouncedRoom{
					Room: name, Stamp: h.view.Stamp, Born: h.view.Born, Owner: h.view.Owner, Digest: h.view.Digest(),
					Members: []bus.Member{{Client: h.client, Since: h.since(), Seq: h.seq}},
				})
			}
		}
		g.asked40[a.Seq] = p
		_ = g.nc.PublishRequest(bus.AnnounceSubject(p), bus.AnswerSubject(g.id, a.Seq), a.Append(nil)) // it will be asked again
	}
}

func (h *holding) since() uint64 {
	for _, m := range h.view.Members {
		if m.Client == h.client {
			return m.Since
		}
	}
	return 0
}

// takeCorrection is called under the lock.
func (g *fakeGateway) takeCorrection(seq uint64, data []byte) {
	p, ok := g.asked40[seq]
	delete(g.asked40, seq)
	var c bus.Correction
	if !ok || len(data) == 0 || c.Decode(data) != nil || c.Retry {
		if ok {
			g.retries = append(g.retries, p)
		}
		return
	}
	if c.Epoch < g.epochs[p] {
		return // of an owner that has been followed
	}
	g.epochs[p] = c.Epoch
	for _, r := range c.Rooms {
		switch h := g.held[r.Room]; {
		case h == nil:
		case r.Gone:
			g.t.Errorf("gateway %s is told that %s is gone", g.id, r.Room)
		case r.Same:
			h.view.Stamp = r.Stamp
		default:
			h.view = r.Roster
			if h.since() == 0 {
				g.t.Errorf("gateway %s is told that %s is not in %s", g.id, h.client, r.Room)
			}
		}
	}
}

// again announces once more what could not be answered.
func (g *fakeGateway) again() {
	g.mu.Lock()
	defer g.mu.Unlock()
	retries := g.retries
	g.retries = nil
	for _, p := range retries {
		g.answerResync(bus.Resync{Partition: p})
	}
}

// populate creates rooms and holds them.
func (g *fakeGateway) populate(rooms int) {
	g.t.Helper()
	for i := range rooms {
		name, client := fmt.Sprintf("room %d of %s", i, g.id), bus.NewClientID()
		g.hold(name, client, g.must(bus.Done, bus.Create, name, client))
	}
}

// join joins the rooms of another gateway.
func (g *fakeGateway) join(other *fakeGateway) {
	g.t.Helper()
	for name := range other.held {
		client := bus.NewClientID()
		g.hold(name, client, g.must(bus.Done, bus.Join, name, client))
	}
}

func (g *fakeGateway) hold(name, client string, a bus.Answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held[name] = &holding{a.Roster, client, g.seq}
	g.asOf = g.seq
	p := bus.Partition(name)
	g.epochs[p] = max(g.epochs[p], a.Epoch)
}

// checkAll joins every room again: that is answered with the truth, which must have all that the gateway holds.
func (g *fakeGateway) checkAll() {
	g.t.Helper()
	deadline := time.Now().Add(natstest.Timeout)
	for name, h := range g.held {
		for {
			a := g.must(bus.Done, bus.Join, name, h.client)
			g.mu.Lock()
			met := g.epochs[bus.Partition(name)]
			g.mu.Unlock()
			if a.Epoch < met {
				if time.Now().After(deadline) {
					g.t.Fatalf("%s: an answer at epoch %d after %d", name, a.Epoch, met)
				}
				continue
			}
			if a.Born != h.view.Born || a.Owner != h.view.Owner {
				g.t.Errorf("%s: %+v, want born %v by %s", name, a.Roster, h.view.Born, h.view.Owner)
			}
			break
		}
	}
}
