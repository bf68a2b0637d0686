// Package engine is the rooms service between NATS and the state machine of package room.
//
// One goroutine owns everything: it takes each message from one queue, applies it to the partition's state, publishes the
// event and then the answer, all on one NATS connection, so that whoever subscribed before asking has the event before
// the answer. A message's way: inbox.go, then command.go or announce.go or gateways.go, then publish.go.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	"signalling/pkg/tracing"
	"signalling/services/rooms/internal/ownership"
	"signalling/services/rooms/internal/room"
)

const (
	// DefaultGatewayTimeout is how long a gateway may be silent before its members are removed.
	DefaultGatewayTimeout = 5 * time.Second
	// DefaultRecoveryWindow is how long a new owner waits for a gateway's announcement.
	DefaultRecoveryWindow = 3 * time.Second
	// DefaultSettle is how long after connecting to NATS an owner still listens for gateways that it does not know. It is
	// more than bus.HeartbeatInterval, and more than natsbus.MaxReconnectWait: whatever cut us off may have cut them off
	// too.
	DefaultSettle = 1500 * time.Millisecond

	// inboxSize bounds the messages that wait. Beyond it NATS messages are dropped: gateways repeat what is not answered.
	inboxSize = 1 << 15
	// maxQuestions bounds the questions of operators that wait. Beyond it they are answered "busy".
	maxQuestions = 64
)

// Ownership tells the engine which partitions it owns. Its methods are called by the engine's goroutine and must not
// block.
type Ownership interface {
	// Grants is where gains, prolongations and losses arrive.
	Grants() <-chan ownership.Grant
	// Challenge reports an epoch that is higher than the one granted.
	Challenge(partition int, epoch uint64)
	// Doubt reports that we were cut off or stopped for a while, so that another may own our partitions. Grants that end
	// are not used until they are prolonged.
	Doubt()
}

// Options say how an engine works. Zero durations mean the defaults.
type Options struct {
	// Instance is the id of this run of the service.
	Instance  string
	Logger    *slog.Logger
	Ownership Ownership
	// Fresh: nobody can have met the partitions that are granted first, so that there is nothing to recover.
	Fresh          bool
	Limits         room.Limits
	GatewayTimeout time.Duration
	RecoveryWindow time.Duration
	Settle         time.Duration
	// Tracer goes on with gateways' traces; nil does not.
	Tracer *tracing.Tracer
	// Metrics count what the engine does; nil if nobody is to see that.
	Metrics *Metrics
}

// Engine serves the partitions that it is granted. Make one with New.
type Engine struct {
	opts Options
	log  *slog.Logger

	inbox     chan *nats.Msg
	questions chan *nats.Msg
	calls     chan func()
	connects  atomic.Uint64
	down      atomic.Bool
	wake      chan struct{}
	ended     chan struct{}

	// What follows belongs to the goroutine of Run.

	nc *nats.Conn
	// now is when the current input was taken, and born when Run began: the time of the rooms is counted from there,
	// because the wall clock may be set.
	now, born  time.Time
	kinds      map[*nats.Subscription]kind
	partitions [bus.Partitions]*partition
	gateways   map[string]*gateway
	orphans    map[string]orphan
	link       link
	counters   counters
	nextDigest time.Time
	ticks      *time.Timer
	quiet      bool // nothing is to be looked at before ticks fires
	// Reused for every message.
	command    bus.Command
	answer     bus.Answer
	event      bus.Event
	correction bus.Correction
	buf        []byte
}

// New returns an engine that Run starts.
func New(opts Options) *Engine {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	setDefault(&opts.GatewayTimeout, DefaultGatewayTimeout)
	setDefault(&opts.RecoveryWindow, DefaultRecoveryWindow)
	setDefault(&opts.Settle, DefaultSettle)
	return &Engine{
		opts:      opts,
		log:       opts.Logger,
		inbox:     make(chan *nats.Msg, inboxSize),
		questions: make(chan *nats.Msg, maxQuestions),
		calls:     make(chan func()),
		wake:      make(chan struct{}, 1),
		ended:     make(chan struct{}),
		kinds:     map[*nats.Subscription]kind{},
		gateways:  map[string]*gateway{},
		orphans:   map[string]orphan{},
		counters:  counters{commands: map[bus.Result]uint64{}},
	}
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Run serves on nc until ctx ends. It then stops taking messages, deals with those that have been delivered, and returns
// when all answers are with the server or the deadline of drain has passed. It does not close nc.
func (e *Engine) Run(ctx context.Context, nc *nats.Conn, drain time.Duration) error {
	defer close(e.ended)
	e.nc, e.now = nc, time.Now()
	e.born = e.now
	if err := e.listen(); err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	if err := e.firstGrants(); err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	e.ticks = time.NewTimer(tickInterval)
	defer e.ticks.Stop()
	for {
		select {
		case m := <-e.inbox:
			e.begin()
			e.handle(m)
		case g := <-e.opts.Ownership.Grants():
			e.begin()
			if err := e.granted(g); err != nil {
				return fmt.Errorf("subscribing: %w", err)
			}
		case <-e.ticks.C:
			e.begin()
			e.tick()
			e.handleQuestion()
			e.ticks.Reset(e.untilTick())
		case m := <-e.waitingQuestions():
			e.begin()
			e.handle(m)
		case f := <-e.calls:
			e.begin()
			f()
		case <-e.wake:
			e.begin()
		case <-ctx.Done():
			e.drain(drain)
			return nil
		}
	}
}

// firstGrants takes what is granted already, so that nobody sees the engine without its partitions.
func (e *Engine) firstGrants() error {
	for {
		select {
		case g := <-e.opts.Ownership.Grants():
			if err := e.granted(g); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// begin notes the time of an input and whether we had been disconnected before it.
func (e *Engine) begin() {
	e.now = time.Now()
	if n := e.connects.Load(); n != e.link.connects {
		e.link.connects = n
		e.freshStart("connected")
	}
}

// drain ends the subscriptions, so that commands meet "no responders" and go elsewhere, and serves what is here already.
func (e *Engine) drain(timeout time.Duration) {
	if !e.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for sub := range e.kinds {
		_ = sub.Drain() // fails only if it has ended
	}
	// Behind the reply to this flush nothing more can arrive.
	if err := e.nc.FlushWithContext(ctx); err != nil {
		e.log.Warn("stopped without draining", "error", err)
		return
	}
	for len(e.inbox) > 0 && ctx.Err() == nil {
		e.begin()
		e.handle(<-e.inbox)
	}
	for len(e.questions) > 0 && ctx.Err() == nil {
		e.handleQuestion()
	}
	if err := e.nc.FlushWithContext(ctx); err != nil {
		e.log.Warn("the last answers may be lost", "error", err)
	}
}

// ErrEnded is returned by calls that need Run when that has returned.
var ErrEnded = errors.New("engine: ended")

// do runs f on the engine's goroutine and returns when it has run, ctx's error if that ends first, or ErrEnded.
func (e *Engine) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case e.calls <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-e.ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}
