package gateway_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/pkg/natsbus/natstest"
)

// Whatever is lost between a gateway and the owner: what each client knows is consistent at each of its steps, and true
// once nothing is lost any more.

func TestLostMessages(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			scene(t, func(t *testing.T, w *world) {
				w.owner.die()
				f := &faults{t: t, w: w, rng: rand.New(rand.NewPCG(uint64(seed), 1))}
				f.owner = newFaultyOwner(t, natstest.Connect(t, w.srv), rand.New(rand.NewPCG(uint64(seed), 2)))
				f.play()
			}, func(s *settings) { s.hub.AnnounceInterval = 30 * time.Second })
		})
	}
}

// faults is a world in which messages are lost.
type faults struct {
	t       *testing.T
	w       *world
	rng     *rand.Rand
	owner   *faultyOwner
	clients []*folder
	next    int // number of the next client elsewhere
}

// folder is a client that folds what it is told into its view of its rooms.
type folder struct {
	*client
	views map[string]map[string]bool
}

func (f *faults) play() {
	rooms := append(samePartition(2), "elsewhere-1", "elsewhere-2")
	f.lose(f.share())
	for range 8 {
		f.clients = append(f.clients, &folder{f.w.connect(), map[string]map[string]bool{}})
	}
	for range 600 {
		f.step(rooms[f.rng.IntN(len(rooms))])
		pause := 100 * time.Millisecond
		if f.rng.IntN(30) == 0 {
			f.lose(f.share()) // for a while nothing comes through at all, or everything
			pause = 7 * time.Second
		}
		pass(time.Duration(f.rng.Int64N(int64(pause))))
		for _, c := range f.clients {
			c.fold()
		}
	}
	f.lose(0)
	pass(2 * time.Minute) // enough for any command's time, and for each partition to be announced
	for _, c := range f.clients {
		c.fold()
	}
	f.owner.do(f.compare)
	if s := f.w.hub.Stats(); s.Requests+s.Announcements+s.Held != 0 || s.Rooms > len(rooms) {
		f.t.Errorf("the gateway holds %+v", s)
	}
}

// share is how much is lost from now on: little, much, or all.
func (f *faults) share() float64 { return []float64{0, 0.1, 0.3, 0.6, 1}[f.rng.IntN(5)] }

func (f *faults) lose(share float64) { f.owner.do(func() { f.owner.loss = share }) }

// step does something at random.
func (f *faults) step(room string) {
	i := f.rng.IntN(len(f.clients))
	c := f.clients[i]
	switch f.rng.IntN(20) {
	case 0:
		c.vanish()
		f.clients[i] = &folder{f.w.connect(), map[string]map[string]bool{}}
	case 1:
		f.owner.do(f.owner.takeOver)
	case 2, 3:
		c.create(room)
	case 4, 5, 6, 7, 8:
		c.leave(room)
	case 9, 10, 11:
		f.owner.do(func() { f.others(room) })
	default:
		c.join(room)
	}
}

// others lets a client of another gateway come or go, or create the room.
func (f *faults) others(name string) {
	o := f.owner
	r := o.rooms[name]
	who := fmt.Sprintf("other-%d", f.next)
	f.next++
	if r == nil {
		o.apply(&bus.Command{Op: bus.Create, Gateway: "elsewhere", Seq: 1, Room: name, Client: who})
		return
	}
	if i := slices.IndexFunc(r.Members, func(m bus.Member) bool { return m.Gateway == "elsewhere" }); i >= 0 && f.rng.IntN(2) == 0 {
		o.apply(&bus.Command{Op: bus.Leave, Gateway: "elsewhere", Seq: 1, Room: name, Client: r.Members[i].Client})
		return
	}
	o.apply(&bus.Command{Op: bus.Join, Gateway: "elsewhere", Seq: 1, Room: name, Client: who})
}

// compare holds the clients' views against the truth.
func (f *faults) compare() {
	known := map[string]bool{}
	for _, c := range f.clients {
		known[c.id] = true
		for name, r := range f.owner.rooms {
			truth := map[string]bool{}
			for _, m := range r.Members {
				truth[m.Client] = true
			}
			if view := c.views[name]; truth[c.id] != (view != nil) || view != nil && !maps.Equal(view, truth) {
				f.t.Errorf("%s sees %v in %s, which has %v", c.id, view, name, truth)
			}
		}
		for name := range c.views {
			if f.owner.rooms[name] == nil {
				f.t.Errorf("%s is in %s, which does not exist", c.id, name)
			}
		}
	}
	for name, r := range f.owner.rooms {
		for _, m := range r.Members {
			if m.Gateway != "elsewhere" && !known[m.Client] {
				f.t.Errorf("%s has %s, whose connection has ended", name, m.Client)
			}
		}
	}
}

// fold takes what has come into the views, and finds what cannot be.
func (c *folder) fold() {
	c.t.Helper()
	for len(c.frames) > 0 {
		frame := <-c.frames
		e, _, err := api.DecodeObject([]byte(frame))
		if err != nil {
			c.t.Fatal(err)
		}
		if wrong := c.take(e); wrong != "" {
			c.t.Fatalf("%s was told %s, but %s: %v", c.id, frame, wrong, c.views)
		}
	}
}

func (c *folder) take(e api.Event) (wrong string) {
	switch e := e.(type) {
	case *api.RoomCreated:
		if c.views[e.Room] != nil {
			return "is in it"
		}
		c.views[e.Room] = map[string]bool{c.id: true}
	case *api.RoomJoined:
		now := map[string]bool{c.id: true}
		for _, id := range e.Clients {
			if now[id] {
				return "one is there twice"
			}
			now[id] = true
		}
		if old := c.views[e.Room]; old != nil && !maps.Equal(old, now) {
			return "knew otherwise"
		}
		c.views[e.Room] = now
	case *api.ClientJoined:
		if v := c.views[e.Room]; v == nil || v[e.ClientID] {
			return "knows that, or is not in it"
		}
		c.views[e.Room][e.ClientID] = true
	case *api.ClientLeft:
		if v := c.views[e.Room]; v == nil || !v[e.ClientID] || e.ClientID == c.id {
			return "knows no such member, or is not in it"
		}
		delete(c.views[e.Room], e.ClientID)
	case *api.RoomLeft:
		if c.views[e.Room] == nil {
			return "is not in it"
		}
		delete(c.views, e.Room)
	case *api.NotInRoom:
		delete(c.views, e.Room)
	}
	return ""
}
