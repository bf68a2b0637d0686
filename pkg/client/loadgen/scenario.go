package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"signalling/api/client"
)

// load is what a scenario is run with.
type load struct {
	urls     []string
	door     Door
	clients  int
	rate     int // operations a second in open loop; 0 is closed loop
	room     int // members of a room
	bytes    int // of a signal's data
	duration time.Duration
	settle   time.Duration
	pids     []int
	progress func(format string, args ...any)
	next     atomic.Int64
}

// scenarios by name.
var scenarios = map[string]func(context.Context, *load) (Result, error){
	"idle": idle, "connect": connect, "rooms": rooms, "relay": relay, "fanout": fanout, "mesh": mesh, "storm": storm,
}

// unique tells the rooms of different runs apart.
var unique = rand.Uint64() // #nosec G404 -- a name

func (l *load) roomName(n int) string { return fmt.Sprintf("load-%x-%d", unique, n) }

// dialing is how many handshakes are under way at once.
const dialing = 64

// connect opens n clients, spread over the URLs, and makes prepare ready for each before it reads.
func (l *load) open(ctx context.Context, n int, prepare func(i int, p *peer)) ([]*peer, error) {
	peers := make([]*peer, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(dialing)
	for i := range n {
		g.Go(func() error {
			p, err := dial(ctx, l.urls[i%len(l.urls)], l.door)
			if err != nil {
				return err
			}
			if prepare != nil {
				prepare(i, p)
			}
			p.start()
			peers[i] = p
			return nil
		})
	}
	return peers, g.Wait()
}

func closeAll(peers []*peer) {
	var wg sync.WaitGroup
	for _, p := range peers {
		if p != nil {
			wg.Go(p.close)
		}
	}
	wg.Wait()
}

// meet makes a room of the clients, the first of which is its owner. A member can be signalled to by those who know of it,
// so meet waits until all do.
func meet(ctx context.Context, peers []*peer, room string) error {
	known := make([]int64, len(peers))
	for i, p := range peers {
		known[i] = p.others.Load() + int64(len(peers)-1-i)
	}
	if err := peers[0].create(ctx, room); err != nil {
		return err
	}
	for _, p := range peers[1:] {
		if err := p.join(ctx, room); err != nil {
			return err
		}
	}
	for i, p := range peers {
		if err := until(ctx, func() bool { return p.others.Load() >= known[i] }); err != nil {
			return err
		}
	}
	return nil
}

// gather makes rooms of the given size of the clients.
func (l *load) gather(ctx context.Context, peers []*peer, size int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(dialing)
	for first := 0; first < len(peers); first += size {
		g.Go(func() error {
			return meet(ctx, peers[first:min(first+size, len(peers))], l.roomName(int(l.next.Add(1))))
		})
	}
	return g.Wait()
}

// idle measures what clients in rooms cost that do nothing.
func idle(ctx context.Context, l *load) (r Result, err error) {
	before, err := measure(l.pids)
	if err != nil {
		return r, err
	}
	peers, err := l.open(ctx, l.clients, nil)
	defer closeAll(peers)
	if err != nil {
		return r, err
	}
	if err = l.gather(ctx, peers, l.room); err != nil {
		return r, err
	}
	l.progress("%d clients idle for %s", l.clients, l.settle+l.duration)
	sleep(ctx, l.settle)
	from, _ := measure(l.pids)
	began := time.Now()
	sleep(ctx, l.duration)
	after, err := measure(l.pids)
	r.set(int64(l.clients), time.Since(began), from, after)
	r.CPUMicros /= r.Seconds // for each client and second
	r.Unit, r.BytesPerClient = "clients", float64(after.PSS-before.PSS)/float64(l.clients)
	return r, err
}

// connect measures what it costs to connect and to leave again.
func connect(ctx context.Context, l *load) (r Result, err error) {
	before, err := measure(l.pids)
	if err != nil {
		return r, err
	}
	var n atomic.Int64
	defer l.watch("connects", &n)()
	began := time.Now()
	for time.Since(began) < l.duration && ctx.Err() == nil {
		peers, err := l.open(ctx, l.clients, func(int, *peer) { n.Add(1) })
		closeAll(peers)
		if err != nil {
			return r, err
		}
	}
	after, err := measure(l.pids)
	r.set(n.Load(), time.Since(began), before, after)
	r.Unit = "connects"
	return r, err
}

// rooms measures commands in closed loop: each pair creates, joins, leaves and closes rooms of its own.
func rooms(ctx context.Context, l *load) (r Result, err error) {
	peers, err := l.open(ctx, l.clients, nil)
	defer closeAll(peers)
	if err != nil {
		return r, err
	}
	return l.closedLoop(ctx, "commands", len(peers)/2, func(ctx context.Context, i int) (int64, error) {
		owner, guest := peers[2*i], peers[2*i+1]
		room := l.roomName(int(l.next.Add(1)))
		if err := owner.create(ctx, room); err != nil {
			return 0, err
		}
		if err := guest.join(ctx, room); err != nil {
			return 0, err
		}
		if err := guest.leave(ctx, room); err != nil {
			return 0, err
		}
		return 4, owner.leave(ctx, room)
	})
}

// closedLoop runs as many loops at once and measures the operations that step reports.
func (l *load) closedLoop(ctx context.Context, unit string, loops int, step func(ctx context.Context, i int) (int64, error)) (r Result, err error) {
	r.Unit = unit
	before, err := measure(l.pids)
	if err != nil {
		return r, err
	}
	var done atomic.Int64
	var mu sync.Mutex
	all := newHistogram()
	defer l.watch(unit, &done)()
	began := time.Now()
	end := began.Add(l.duration)
	g, ctx := errgroup.WithContext(ctx)
	for i := range loops {
		g.Go(func() error {
			h := newHistogram()
			defer func() {
				mu.Lock()
				all.Merge(h)
				mu.Unlock()
			}()
			for time.Now().Before(end) && ctx.Err() == nil {
				start := time.Now()
				n, err := step(ctx, i)
				if err != nil {
					return err
				}
				_ = h.RecordValue(time.Since(start).Microseconds() / max(n, 1))
				done.Add(n)
			}
			return ctx.Err()
		})
	}
	err = g.Wait()
	took := time.Since(began)
	after, merr := measure(l.pids)
	if err == nil {
		err = merr
	}
	r.set(done.Load(), took, before, after)
	r.Latency = latencyOf(all)
	return r, err
}

// storm measures how long it takes until all clients are connected and in their rooms again after all have lost their
// connection at once.
func storm(ctx context.Context, l *load) (r Result, err error) {
	peers, err := l.open(ctx, l.clients, nil)
	defer func() { closeAll(peers) }()
	if err != nil {
		return r, err
	}
	if err = l.gather(ctx, peers, l.room); err != nil {
		return r, err
	}
	before, err := measure(l.pids)
	if err != nil {
		return r, err
	}
	began := time.Now()
	closeAll(peers)
	if peers, err = l.open(ctx, l.clients, nil); err != nil {
		return r, err
	}
	if err = l.gather(ctx, peers, l.room); err != nil {
		return r, err
	}
	took := time.Since(began)
	after, err := measure(l.pids)
	r.set(int64(l.clients), took, before, after)
	r.Unit = "clients"
	return r, err
}

// watch tells each second how far a count has come, until it is stopped.
func (l *load) watch(unit string, count *atomic.Int64) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		each := time.NewTicker(time.Second)
		defer each.Stop()
		for last := int64(0); ; {
			select {
			case <-done:
				return
			case <-each.C:
			}
			now := count.Load()
			l.progress("%d %s, %d in this second", now, unit, now-last)
			last = now
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// fanout measures events to many: a client joins and leaves a large room all the time.
func fanout(ctx context.Context, l *load) (r Result, err error) {
	var delivered atomic.Int64
	peers, err := l.open(ctx, l.room, func(_ int, p *peer) {
		p.on = func(name string, _ []byte) {
			if name == client.ClientJoinedName || name == client.ClientLeftName {
				delivered.Add(1)
			}
		}
	})
	defer closeAll(peers)
	if err != nil {
		return r, err
	}
	if err = l.gather(ctx, peers, l.room); err != nil {
		return r, err
	}
	guests, err := l.open(ctx, 1, nil)
	defer closeAll(guests)
	if err != nil {
		return r, err
	}
	room := l.roomName(int(l.next.Load()))
	want := int64(l.room)
	return l.closedLoop(ctx, "deliveries", 1, func(ctx context.Context, _ int) (int64, error) {
		from := delivered.Load()
		if err := guests[0].join(ctx, room); err != nil {
			return 0, err
		}
		if err := until(ctx, func() bool { return delivered.Load() >= from+want }); err != nil {
			return 0, err
		}
		if err := guests[0].leave(ctx, room); err != nil {
			return 0, err
		}
		return 2 * want, until(ctx, func() bool { return delivered.Load() >= from+2*want })
	})
}

// patience bounds every wait for the server.
const patience = 30 * time.Second

// until polls, because the counters that it waits for are written too often for anything dearer.
func until(ctx context.Context, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !ok() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		sleep(ctx, 50*time.Microsecond)
	}
	return nil
}
