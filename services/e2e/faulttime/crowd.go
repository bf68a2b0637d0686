package faulttime

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"signalling/api/bus"
	"signalling/pkg/client"
	"signalling/services/e2e/lab"
)

// perGateway is how many clients of the crowd each gateway has.
const perGateway = 8

// crowd is clients at two gateways: in each partition is a room, with an owner at one gateway and a member at the other.
type crowd struct {
	people []*person
	rooms  []*room
}

// room is one of the crowd's.
type room struct {
	name          string
	owner, member *person
}

// person is a client, and all that it is told without having asked.
type person struct {
	*client.Client
	gateway int
	reading sync.WaitGroup
	ended   time.Time // when the connection had; readable after reading

	mu      sync.Mutex // guards what follows
	told    []told
	changed chan struct{} // closed and replaced when something is added
	signals func(*client.SignalReceive)
}

// told is one thing that a client was told.
type told struct {
	at    time.Time
	event client.Event
}

// connect lets a client in at a gateway.
func (w *world) connect(ctx context.Context, gateway int) (*person, error) {
	url, err := lab.ClientURL(ctx, w.gateways[gateway])
	if err != nil {
		return nil, err
	}
	return dial(ctx, url, gateway, eventQueue)
}

// eventQueue is more than a client of the crowd is told at once.
const eventQueue = 1 << 14

func dial(ctx context.Context, url string, gateway, queue int) (*person, error) {
	return dialWith(ctx, url, gateway, &client.Options{EventQueue: queue})
}

func dialWith(ctx context.Context, url string, gateway int, o *client.Options) (*person, error) {
	o.PingInterval, o.DialTimeout = -1, patience // no pings: whoever is silent is to be noticed by the server
	c, err := client.Dial(ctx, url, o)
	if err != nil {
		return nil, err
	}
	p := &person{Client: c, gateway: gateway, changed: make(chan struct{})}
	p.reading.Go(p.read)
	return p, nil
}

func (p *person) read() {
	for m := range p.Events() {
		if m.Answer {
			continue
		}
		p.mu.Lock()
		switch e := m.Event.(type) {
		case *client.SignalReceive:
			if p.signals != nil {
				p.signals(e)
			}
		case *client.ClientJoined, *client.ClientLeft, *client.RoomLeft, *client.Error, *client.NotInRoom, *client.TargetNotFound:
			p.told = append(p.told, told{time.Now(), e})
			close(p.changed)
			p.changed = make(chan struct{})
		}
		p.mu.Unlock()
	}
	p.ended = time.Now()
}

// leave ends the connection.
func (p *person) leave() {
	_ = p.Close()
	p.reading.Wait()
}

// await waits until the person has been told n things, and returns the time of the last.
func (p *person) await(ctx context.Context, n int) (time.Time, error) {
	for {
		p.mu.Lock()
		have, changed := slices.Clone(p.told), p.changed
		p.mu.Unlock()
		if len(have) >= n {
			var last time.Time
			if n > 0 {
				last = have[n-1].at
			}
			return last, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s was told %d of %d things: %w", p.ID(), len(have), n, ctx.Err())
		}
	}
}

// check compares what a person was told with what it was to be told, in any order, and forgets it.
func (p *person) check(want []string) error {
	p.mu.Lock()
	have := p.told
	p.told = nil
	p.mu.Unlock()
	var texts []string
	for _, t := range have {
		texts = append(texts, describe(t.event))
	}
	slices.Sort(texts)
	slices.Sort(want)
	if !slices.Equal(texts, want) {
		return fmt.Errorf("a client at gateway %d was told %q, and was to be told %q", p.gateway+1, texts, want)
	}
	return nil
}

// told waits until each person was told what it is to be told of each room ("" is nothing), and nothing else, forgets it, and
// returns when the last was.
func (c *crowd) told(ctx context.Context, what func(*person, *room) string) (last time.Time, err error) {
	for _, p := range c.people {
		var want []string
		for _, r := range c.rooms {
			if w := what(p, r); w != "" {
				want = append(want, w)
			}
		}
		if len(want) == 0 {
			continue
		}
		at, err := p.await(ctx, len(want))
		if err != nil {
			return last, err
		}
		if err := p.check(want); err != nil {
			return last, err
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// describe is an event as check compares it.
func describe(e client.Event) string {
	switch e := e.(type) {
	case *client.ClientJoined:
		return joined(e.Room, e.ClientID)
	case *client.ClientLeft:
		return left(e.Room, e.ClientID)
	case *client.RoomLeft:
		return closed(e.Room)
	default:
		return fmt.Sprintf("%s %+v", e.Name(), e)
	}
}

func joined(room, id string) string { return "client-joined " + room + " " + id }
func left(room, id string) string   { return "client-left " + room + " " + id }
func closed(room string) string     { return "room-left " + room }

// newCrowd connects everybody. tag is in the names of their rooms. Close it.
func (w *world) newCrowd(ctx context.Context, tag string) (*crowd, error) {
	c := &crowd{}
	for i := range gateways * perGateway {
		p, err := w.connect(ctx, i%gateways)
		if err != nil {
			c.close()
			return nil, err
		}
		c.people = append(c.people, p)
	}
	for partition := range bus.Partitions {
		r := &room{name: roomIn(partition, tag)}
		couple := partition / 2 % perGateway * gateways
		r.owner, r.member = c.people[couple+partition%2], c.people[couple+1-partition%2]
		if err := r.meet(ctx); err != nil {
			c.close()
			return nil, err
		}
		c.rooms = append(c.rooms, r)
	}
	if err := c.settle(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (r *room) meet(ctx context.Context) error {
	if err := r.owner.Create(ctx, r.name); err != nil {
		return err
	}
	_, err := r.member.Join(ctx, r.name)
	return err
}

// settle waits until all owners know of their members, and forgets it.
func (c *crowd) settle(ctx context.Context) error {
	for _, p := range c.people {
		var want []string
		for _, r := range c.rooms {
			if r.owner == p {
				want = append(want, joined(r.name, r.member.ID()))
			}
		}
		if _, err := p.await(ctx, len(want)); err != nil {
			return err
		}
		if err := p.check(want); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) close() {
	var all sync.WaitGroup
	for _, p := range c.people {
		all.Go(p.leave)
	}
	all.Wait()
}

// undisturbed checks that nobody was told anything and that nobody's connection has ended.
func (c *crowd) undisturbed() error {
	for _, p := range c.people {
		if err := p.check(nil); err != nil {
			return err
		}
		if err := p.Err(); err != nil {
			return fmt.Errorf("a connection ended: %w", err)
		}
	}
	return nil
}

// roomIn is a room's name in a partition.
func roomIn(partition int, tag string) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s %d.%d", tag, partition, i)
		if bus.Partition(name) == partition {
			return name
		}
	}
}
