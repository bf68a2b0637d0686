package faulttime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"signalling/api/bus"
	"signalling/pkg/client"
)

// The masses: each room has a member in each quarter of the connections, and two at each gateway.
const (
	massRooms    = 25_000
	massSockets  = 4_000
	massPerRoom  = 4
	massQuarter  = massSockets / massPerRoom
	massAtOnce   = 100 // commands on their way
	massQueue    = 256
	massPatience = 5 * time.Minute
)

// masses are many clients in many rooms.
type masses struct{ people []*person }

// memberOf is the k-th member of a room; the first is its owner.
func (m *masses) memberOf(room, k int) *person {
	return m.people[(room+k*massQuarter)%massSockets]
}

func massRoom(i int) string { return "room " + strconv.Itoa(i) }

// inParallel does something n times, some at once, and returns the first errors.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	next := make(chan int)
	for range massAtOnce {
		all.Go(func() {
			for i := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// gather connects everybody and lets them join. What it returns must be closed, also with an error.
func (w *world) gather(ctx context.Context) (*masses, error) {
	m := &masses{people: make([]*person, massSockets)}
	var urls []string
	for i := range gateways {
		addr, err := w.gateways[i].Addr(ctx, "clients")
		if err != nil {
			return m, err
		}
		urls = append(urls, "ws://"+addr+"/ws")
	}
	err := inParallel(ctx, massSockets, func(ctx context.Context, i int) (err error) {
		gateway := i / massQuarter % gateways
		m.people[i], err = dial(ctx, urls[gateway], gateway, massQueue)
		return err
	})
	if err != nil {
		return m, err
	}
	err = inParallel(ctx, massRooms, func(ctx context.Context, i int) error {
		if err := m.memberOf(i, 0).Create(ctx, massRoom(i)); err != nil {
			return err
		}
		for k := range massPerRoom - 1 {
			if _, err := m.memberOf(i, k+1).Join(ctx, massRoom(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = m.settle(ctx)
	}
	return m, err
}

// settle waits until all have been told of those who joined after them, and forgets it.
func (m *masses) settle(ctx context.Context) error {
	want := make([]int, massSockets)
	for i := range massRooms {
		for k := range massPerRoom {
			want[(i+k*massQuarter)%massSockets] += massPerRoom - 1 - k
		}
	}
	for i, p := range m.people {
		if _, err := p.await(ctx, want[i]); err != nil {
			return err
		}
		p.mu.Lock()
		p.told = nil
		p.mu.Unlock()
	}
	return nil
}

func (m *masses) close() {
	_ = inParallel(context.Background(), len(m.people), func(_ context.Context, i int) error {
		if p := m.people[i]; p != nil {
			p.leave()
		}
		return nil
	})
}

// still lets a member ask who is in its room, as often as it takes until the service is available: all must be there.
func (m *masses) still(ctx context.Context, room, k int) error {
	for {
		roster, err := m.memberOf(room, k).Join(ctx, massRoom(room))
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code == client.Unavailable {
			continue
		}
		if err != nil {
			return err
		}
		ok := roster.OwnerID == m.memberOf(room, 0).ID() && len(roster.Clients) == massPerRoom-1
		for i, at := 0, 0; i < massPerRoom && ok; i++ {
			if i == k {
				continue
			}
			ok = roster.Clients[at] == m.memberOf(room, i).ID()
			at++
		}
		if !ok {
			return fmt.Errorf("a member of room %q was told %+v", massRoom(room), roster)
		}
		return nil
	}
}

// rebuildRow kills the only rooms instance, which knows masses, and starts it again.
func rebuildRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 1}, runs, func(_ context.Context, w *world, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, massPatience)
		defer cancel()
		m, err := w.gather(ctx)
		defer m.close()
		if err != nil {
			return err
		}
		if err := w.rooms[0].Kill(); err != nil {
			return err
		}
		start := time.Now()
		if err := w.rooms[0].Launch(ctx); err != nil {
			return err
		}
		probes := onePerPartition()
		if err := inParallel(ctx, len(probes), func(ctx context.Context, i int) error { return m.still(ctx, probes[i], i%massPerRoom) }); err != nil {
			return err
		}
		rebuilt := time.Now()
		err = inParallel(ctx, massRooms*massPerRoom, func(ctx context.Context, i int) error {
			return m.still(ctx, i/massPerRoom, i%massPerRoom)
		})
		if err != nil {
			return err
		}
		note(Value{command, rebuilt.Sub(start)}, Value{asked, time.Since(rebuilt)})
		return m.undisturbed()
	})
}

// onePerPartition is a room in each partition.
func onePerPartition() (rooms []int) {
	found := map[int]bool{}
	for i := 0; len(rooms) < bus.Partitions; i++ {
		if p := bus.Partition(massRoom(i)); !found[p] {
			found[p] = true
			rooms = append(rooms, i)
		}
	}
	return rooms
}

// undisturbed checks that nobody was told anything, and that all connections are there.
func (m *masses) undisturbed() error { return (&crowd{people: m.people}).undisturbed() }
