package ownership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"signalling/api/bus"
)

const (
	// Lease is how long an owner serves after its last successful compare-and-swap. It is long, because the death of a
	// JetStream leader stops compare-and-swap for 5 to 8 seconds.
	Lease = 15 * time.Second
	// Suspicion is the silence after which an owner is taken for dead and its partitions are claimed.
	Suspicion = 3 * time.Second

	renewInterval = Lease / 3
	tickInterval  = 100 * time.Millisecond
	// refusalGap is the time between two "no responders" that together mean death.
	refusalGap = 100 * time.Millisecond
	// hereInterval is how often an instance tells the others that it is there.
	hereInterval = 500 * time.Millisecond
	// maxSilence is the longest time without any message, our own included, after which we believe our own ears.
	maxSilence = 1500 * time.Millisecond
	// listenFirst is how long we listen for the others before claiming anything.
	listenFirst = 300 * time.Millisecond
	// firstGrace is how long after the first connection "no responders" prove nothing: if NATS has just come back, the
	// others may not have. After a later connection it is Suspicion.
	firstGrace = 1500 * time.Millisecond
	// readInterval is how often every record is read, in case nobody told that it had changed.
	readInterval = 5 * time.Second
	// unclaimedTime is how long a partition may be without an owner before even those claim it that have their share.
	unclaimedTime = time.Second
	// shedInterval is the least time between two partitions that an instance gives to others.
	shedInterval = 100 * time.Millisecond
	// newcomer is how long an instance must have been there before it is given partitions by those who serve them. It is more
	// than engine.DefaultSettle, before which a newcomer does not know all gateways, and commands would have to wait for it.
	newcomer = 2 * time.Second
	// opTimeout bounds one operation on the bucket, retryInterval is the pause before the next attempt.
	opTimeout     = 2 * time.Second
	retryInterval = 250 * time.Millisecond
	// believeOlder is how long the bucket must show an older revision than we knew before we believe that it has lost the
	// newer one, as after a loss of power.
	believeOlder = 2 * time.Second
	// workers is how many operations on the bucket run at once.
	workers = 8

	inboxSize = 1 << 12
)

// KVOptions say how a KV works.
type KVOptions struct {
	// Instance is the id of this run of the service.
	Instance string
	Logger   *slog.Logger
	// Bucket is DefaultBucket if empty.
	Bucket string
	// Replicas of the bucket, if it has to be made; 0 means 1.
	Replicas int
	// ReleaseTimeout bounds how long the end of Run waits until all partitions are released.
	ReleaseTimeout time.Duration
}

// KV claims partitions in a bucket, keeps them, and gives them up. Make one with NewKV.
type KV struct {
	opts KVOptions
	log  *slog.Logger

	grants   chan Grant
	signals  chan signal
	released chan int
	inbox    chan *nats.Msg
	ops      chan op
	results  chan result
	connects atomic.Uint64
	down     atomic.Bool
	synced   atomic.Bool
	view     atomic.Pointer[View]

	// What follows belongs to the goroutine of Run.

	nc     *nats.Conn
	bucket *bucket
	hard   context.Context //nolint:containedctx // of all operations: it ends when Run does
	now    time.Time
	slots  [bus.Partitions]slot
	peers  map[string]*peer
	pongs  *nats.Subscription

	seenConnects uint64
	heard        time.Time // the last message
	fresh        time.Time // the last fresh start
	asOf         time.Time // the last fresh start or doubt: what was asked before may not be so any more
	grace        time.Time // until then, "no responders" prove nothing
	inquiry      inquiry
	nextHere     time.Time
	nextShed     time.Time
	stopping     bool
}

// signal is what the engine tells.
type signal struct {
	// partition that an epoch is about, or -1: we were cut off.
	partition int
	epoch     uint64
}

// NewKV returns a KV that Run starts.
func NewKV(opts KVOptions) *KV {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Bucket == "" {
		opts.Bucket = DefaultBucket
	}
	k := &KV{
		opts: opts, log: opts.Logger,
		grants:   make(chan Grant, 4*bus.Partitions),
		signals:  make(chan signal, 4*bus.Partitions),
		released: make(chan int, bus.Partitions),
		inbox:    make(chan *nats.Msg, inboxSize),
		ops:      make(chan op, bus.Partitions),
		results:  make(chan result, bus.Partitions),
		peers:    map[string]*peer{},
	}
	for p := range k.slots {
		k.slots[p].partition = p
	}
	return k
}

// Grants is where gains, prolongations and losses arrive.
func (k *KV) Grants() <-chan Grant { return k.grants }

// Challenge reports that somebody has met an epoch of a partition that is higher than ours.
func (k *KV) Challenge(partition int, epoch uint64) { k.signal(signal{partition, epoch}) }

// Doubt reports that this process was cut off or stopped for a while, so that others may own what it owned.
func (k *KV) Doubt() { k.signal(signal{partition: -1}) }

func (k *KV) signal(s signal) {
	select {
	case k.signals <- s:
	default: // full: the renewals that are due anyway will find the same
	}
}

// Connected is to be called when a connection to NATS has been made, the first or a later one. Any goroutine may.
func (k *KV) Connected() {
	k.down.Store(false)
	k.connects.Add(1)
}

// Disconnected is to be called when a connection to NATS has been lost. Any goroutine may.
func (k *KV) Disconnected() { k.down.Store(true) }

// Synced reports whether, at some time since the start, all records were known and all partitions had owners that live.
func (k *KV) Synced() bool { return k.synced.Load() }

// View is what an instance knows of the others.
type View struct {
	// Owners are the instances that own the partitions; "" where nobody does.
	Owners [bus.Partitions]string
	// Peers are the other instances that live.
	Peers []string
}

// View returns what is known, as it was a moment ago.
func (k *KV) View() View {
	if v := k.view.Load(); v != nil {
		return *v
	}
	return View{}
}

// show keeps the View.
func (k *KV) show() {
	var v View
	for i := range k.slots {
		v.Owners[i] = k.slots[i].Owner
	}
	for id, p := range k.peers {
		if p.spoke && !p.dead {
			v.Peers = append(v.Peers, id)
		}
	}
	slices.Sort(v.Peers)
	k.view.Store(&v)
}

// Run owns partitions until ctx ends; then it releases them, so that others can claim them at once, and returns. The
// receiver of Grants must run until Run has returned. An error wraps ErrBucket, or says that nc is closed.
func (k *KV) Run(ctx context.Context, nc *nats.Conn) error {
	k.nc, k.now = nc, time.Now()
	// Operations outlive ctx, because releasing takes some.
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.hard = hard
	if err := k.open(ctx); err != nil || ctx.Err() != nil {
		cancel()
		return err
	}
	var running sync.WaitGroup
	for range workers {
		running.Go(k.work)
	}
	defer running.Wait()
	defer cancel()
	end, err := k.subscribe()
	if err != nil {
		return err
	}
	defer end()
	k.loop(ctx)
	k.release()
	return nil
}

// open opens the bucket, as often as it takes.
func (k *KV) open(ctx context.Context) error {
	js, err := jetstream.New(k.nc)
	if err != nil {
		return err
	}
	for logged := false; ctx.Err() == nil; {
		opCtx, cancel := context.WithTimeout(ctx, opTimeout)
		k.bucket, err = openBucket(opCtx, js, k.opts.Bucket, max(k.opts.Replicas, 1))
		cancel()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrBucket), errors.Is(err, nats.ErrConnectionClosed):
			return err
		case !logged && ctx.Err() == nil:
			k.log.Warn("the bucket of owners cannot be reached, trying again", "bucket", k.opts.Bucket, "error", err)
			logged = true
		}
		pause(ctx, retryInterval+rand.N(retryInterval)) // #nosec G404 -- jitter
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (k *KV) subscribe() (end func(), err error) {
	peers, err := k.nc.ChanSubscribe(bus.PeersSubject, k.inbox)
	if err == nil {
		k.pongs, err = k.nc.ChanSubscribe(bus.PeerPongSubjects(k.opts.Instance), k.inbox)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	return func() {
		for _, sub := range []*nats.Subscription{peers, k.pongs} {
			_ = sub.Unsubscribe() // fails only if the connection is closed
		}
	}, nil
}

// loop takes inputs until ctx ends.
func (k *KV) loop(ctx context.Context) {
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.begin()
			k.tick()
		case m := <-k.inbox:
			k.begin()
			k.handle(m)
		case r := <-k.results:
			k.begin()
			k.finish(r)
		case s := <-k.signals:
			k.begin()
			k.signalled(s)
		case p := <-k.released:
			k.begin()
			k.vacate(&k.slots[p])
		}
	}
}

// begin notes the time of an input and whether we had been disconnected before it.
func (k *KV) begin() {
	k.now = time.Now()
	if n := k.connects.Load(); n != k.seenConnects {
		k.seenConnects = n
		k.freshStart()
	}
}

// deaf says that we may be missing messages, so that the silence of others proves nothing.
func (k *KV) deaf() bool { return k.now.Sub(k.heard) > maxSilence || k.down.Load() }

// freshStart begins anew after a time in which we may have missed everything.
func (k *KV) freshStart() {
	k.grace = k.now.Add(Suspicion)
	if k.fresh.IsZero() {
		k.grace = k.now.Add(firstGrace)
	}
	k.heard, k.fresh, k.asOf, k.nextHere = k.now, k.now, k.now, k.now
	for _, p := range k.peers {
		p.heard, p.answered, p.refused, p.dead = k.now, k.now, time.Time{}, false
	}
	for i := range k.slots {
		s := &k.slots[i]
		s.doubt = true
		s.open = time.Time{}
		s.since, s.due = k.now, k.now // the owner may have been unable to renew
	}
	k.ask()
}

// signalled deals with what the engine tells.
func (k *KV) signalled(s signal) {
	if s.partition >= 0 {
		slot := &k.slots[s.partition]
		slot.top = max(slot.top, s.epoch)
		slot.due = k.now
		k.advance(slot)
		return
	}
	k.asOf = k.now
	for i := range k.slots {
		k.slots[i].doubt, k.slots[i].due = true, k.now
		k.advance(&k.slots[i])
	}
	k.ask()
}

// tick does what time makes due.
func (k *KV) tick() {
	k.show()
	k.sayHere()
	if k.deaf() {
		return
	}
	k.watchPeers()
	k.conclude()
	for i := range k.slots {
		k.advance(&k.slots[i])
	}
	k.claimFree()
	k.shed()
	k.noteSync()
}

// handle deals with one message.
func (k *KV) handle(m *nats.Msg) {
	if k.now.Sub(k.heard) > maxSilence {
		k.freshStart()
	}
	k.heard = k.now
	if m.Sub == k.pongs {
		k.handlePong(m)
		return
	}
	var msg peerMessage
	if err := json.Unmarshal(m.Data, &msg); err != nil {
		k.log.Error("a message of another instance cannot be read", "error", err)
		return
	}
	k.handlePeer(&msg)
}
