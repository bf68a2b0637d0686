package hub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/tracing"
)

// Config are the hub's limits.
type Config struct {
	// CommandTimeout is how long a command may wait for its answer before it is answered "unavailable".
	CommandTimeout time.Duration
	// AttemptTimeout is how long the owner may take before a command is sent again.
	AttemptTimeout time.Duration
	// AnnounceInterval is the mean time between two announcements of a partition without a reason.
	AnnounceInterval time.Duration
	// MaxPending is how many commands of a client may wait for their answers before its reading is paused.
	MaxPending int
	// Metrics count what the hub does; nil if nobody is to see that.
	Metrics *Metrics
	// MaxRooms is how many rooms a client may be in; 0 means any number. Limited, if set, is called for each command that is
	// refused because of it; it may not block.
	MaxRooms int
	Limited  func()
	// Negotiations has the metrics of offers, answers and candidates, for which the data of signals is read.
	Negotiations bool
	// Resume keeps sessions whose connections are lost. Its zero value does not.
	Resume Resume
}

// inboxSize bounds the messages from the bus that wait for the dispatcher. What exceeds it is lost, which NATS tells us,
// and repaired by announcing.
const inboxSize = 64 << 10

// Hub connects sessions with the rooms. See the package's documentation.
type Hub struct {
	cfg   Config
	log   *slog.Logger
	nc    *nats.Conn
	m     *Metrics
	trace *tracing.Tracer // nil if nothing is traced
	id    string
	inbox chan *nats.Msg
	parts [bus.Partitions]partition
	links links
	names map[string]string // interned gateway ids; the dispatcher's
	shown atomic.Int64      // when show sent a heartbeat, in ns

	groups time.Time // when a group of announcements begins, see nextAnnounce

	signal bus.Signal // of onSignal, kept for reuse; the dispatcher's

	mu       sync.Mutex // guards what follows
	sessions map[*Session]struct{}
	closing  client.CloseCode // set by Drain
	stopped  bool
	byID     map[string]*Session      // those that may be resumed
	claims   map[string]chan struct{} // clients whose sessions are being resumed or handed over; closed at the end
	handed   map[string]*handed       // sessions that were handed over, by client
	giving   map[takeKey]struct{}     // questions for sessions that are being answered
	taking   map[uint64]chan *nats.Msg
	takes    uint64
	probes   map[string]*probe // clients of tests that wait to go on, by room
	echoes   int               // clients of tests that send signals back

	keptBytes atomic.Int64  // kept for all sessions
	outages   atomic.Uint64 // how often messages from the bus may have been missed
	finder    finder

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New returns a hub on a connection to the bus, which it subscribes to. Start sets it to work. A gateway should have one
// connection only: the order of subscription, request and event on it is what no event is lost by.
func New(cfg Config, nc *nats.Conn, log *slog.Logger) (*Hub, error) {
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	h := &Hub{
		cfg: cfg, log: log, nc: nc, m: cfg.Metrics, id: bus.NewID(),
		inbox:    make(chan *nats.Msg, inboxSize),
		names:    make(map[string]string),
		sessions: make(map[*Session]struct{}),
		byID:     make(map[string]*Session), claims: make(map[string]chan struct{}),
		handed: make(map[string]*handed), giving: make(map[takeKey]struct{}), taking: make(map[uint64]chan *nats.Msg),
		probes: make(map[string]*probe),
	}
	h.log = log.With("gateway", h.id)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.links = links{h: h, out: make(map[string]*link), in: make(map[string]*incoming)}
	now := time.Now()
	h.groups = now.Add(-rand.N(max(cfg.AnnounceInterval, 1))) // #nosec G404 -- other gateways have other groups
	for n := range h.parts {
		h.parts[n].init(h, n, now)
	}
	for _, subject := range []string{bus.GatewaySubjects(h.id), bus.AllControl} {
		if _, err := nc.ChanSubscribe(subject, h.inbox); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// ID is the gateway's id, another one each time it is started.
func (h *Hub) ID() string { return h.id }

// Trace has commands and signals traced. It is called before Start.
func (h *Hub) Trace(t *tracing.Tracer) { h.trace = t }

// Start begins to serve the bus.
func (h *Hub) Start() {
	h.wg.Go(func() { h.dispatch(h.ctx) })
	h.wg.Go(func() { h.tick(h.ctx) })
}

// Stop tells the bus that this gateway is gone and all its members too, or that these are to be kept for the window, and
// ends the hub's goroutines. The connection is the caller's to close.
func (h *Hub) Stop() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	h.heartbeat(true)
	h.cancel()
	h.wg.Wait()
	for n := range h.parts {
		h.parts[n].stop()
	}
	h.links.stop()
	h.stopKeepers()
	h.takeProbes()
}

// Sessions is how many clients are connected.
func (h *Hub) Sessions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}

// AnnounceAll announces all members to their owners and sends signals again that may be lost: after the connection to the
// bus was away, or messages from it were dropped.
func (h *Hub) AnnounceAll() {
	h.outages.Add(1)
	h.heartbeat(false)
	out := h.outbox()
	now := time.Now()
	for n := range h.parts {
		p := &h.parts[n]
		p.mu.Lock()
		p.announce(now, causeConnection, out)
		for _, q := range p.requests {
			if !q.waiting {
				p.post(q, out)
			}
		}
		p.mu.Unlock()
		out.run()
	}
	h.links.resendAll(out)
	out.release()
}

const tickInterval = 250 * time.Millisecond

// tick does what is due from time to time.
func (h *Hub) tick(ctx context.Context) {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	h.heartbeat(false)
	next := time.Now().Add(bus.HeartbeatInterval)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if !now.Before(next) {
				h.heartbeat(false)
				next = now.Add(bus.HeartbeatInterval)
			}
			h.sweep(now)
		}
	}
}

func (h *Hub) sweep(now time.Time) {
	out := h.outbox()
	for n := range h.parts {
		p := &h.parts[n]
		p.mu.Lock()
		p.sweepRequests(now, out)
		p.sweepAnnouncements(now, out)
		p.negotiations.sweep(now, &h.m.negotiations)
		p.mu.Unlock()
	}
	h.links.sweep(now, out)
	out.release()
	if h.Resumes() {
		h.sweepHanded(now)
	}
}

// show sends a heartbeat out of turn, to an owner that asks who is there. Owners ask for each partition.
func (h *Hub) show() {
	now := time.Now().UnixNano()
	if last := h.shown.Load(); now-last > int64(tickInterval) && h.shown.CompareAndSwap(last, now) {
		h.heartbeat(false)
	}
}

// heartbeat keeps this gateway's members in their rooms.
func (h *Hub) heartbeat(leaving bool) {
	b := bus.Heartbeat{
		Gateway: h.id, Protocol: bus.ProtocolVersion, Leaving: leaving,
		Window: uint64(h.cfg.Resume.Window / time.Millisecond), // #nosec G115 -- not negative
	}
	h.publish(bus.HeartbeatSubject, "", b.Append(nil))
}

// publish sends a message. While the connection is down it is dropped: whoever sent it has a way to repeat it.
func (h *Hub) publish(subject, reply string, data []byte) {
	if err := h.publishTraced(subject, reply, data, nil); err != nil {
		h.unsent(subject, len(data), err)
	}
}

// unsent notes a message that was not sent. One that is larger than NATS takes never will be, so people are told.
func (h *Hub) unsent(subject string, size int, err error) {
	if errors.Is(err, nats.ErrMaxPayload) {
		h.log.Warn("a message is larger than NATS takes", "subject", subject, "bytes", size, "limit", h.nc.MaxPayload())
		return
	}
	h.log.Debug("not published", "subject", subject, "error", err)
}

// publishTraced is publish for a message that may carry a trace.
func (h *Hub) publishTraced(subject, reply string, data []byte, span *tracing.Span) error {
	if span != nil {
		return h.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: data, Header: span.Header()})
	}
	if reply == "" {
		return h.nc.Publish(subject, data)
	}
	return h.nc.PublishRequest(subject, reply, data)
}

// announceGroups is how many groups the announcements without a reason are in that fall into AnnounceInterval.
const announceGroups = 12

// nextAnnounce spreads the announcements of the gateways and partitions over time, in groups of some partitions: each group
// wakes the bus and the owners once.
func (h *Hub) nextAnnounce(now time.Time) time.Time {
	group := max(h.cfg.AnnounceInterval/announceGroups, 1)
	at := now.Sub(h.groups) + h.cfg.AnnounceInterval/2 + rand.N(h.cfg.AnnounceInterval-group+1) // #nosec G404 -- jitter
	return h.groups.Add((at + group - 1).Truncate(group))
}
