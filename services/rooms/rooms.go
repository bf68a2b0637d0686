// Package rooms is the rooms service: it owns who is in which room, carries out the gateways' commands and tells the
// gateways about every change. It holds everything in memory; what it has lost it learns back from the gateways.
package rooms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/admin"
	"signalling/pkg/admin/live"
	"signalling/pkg/metrics"
	"signalling/pkg/natsbus"
	"signalling/pkg/settings"
	"signalling/pkg/tracing"
	"signalling/services/rooms/internal/engine"
	"signalling/services/rooms/internal/ownership"
	"signalling/services/rooms/internal/room"
)

// Version is the version of the service as NATS tools show it (semantic versioning).
const Version = "0.1.0"

// Options are what a program gives New beyond the settings. The zero value is usable.
type Options struct {
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
	// InProcess, if set, is the NATS server to connect to, and the NATS settings are not used.
	InProcess nats.InProcessConnProvider
	// Fresh says that no gateway can hold members yet, because the bus is as new as this service: it serves at once
	// instead of asking around first.
	Fresh bool
	// NoAdmin leaves the admin server out; the program around has its own and asks Ready.
	NoAdmin bool
	// Metrics is where the service's metrics go, and what its admin server shows. Nil means a registry of its own. Two
	// instances cannot share one.
	Metrics *prometheus.Registry
}

// Service is one instance of the rooms service. Make one with New.
type Service struct {
	cfg      Config
	opts     Options
	log      *slog.Logger
	instance string
	engine   *engine.Engine
	kv       *ownership.KV // nil if ownership is static
	nc       atomic.Pointer[nats.Conn]

	natsMetrics *natsbus.Metrics
	tracer      *tracing.Tracer // nil if nothing is traced
}

// ErrBucket is wrapped by what Run returns if the bucket of owners is not one in which ownership is safe.
var ErrBucket = ownership.ErrBucket

// New returns a service that Run starts. Its error wraps settings.ErrInvalid.
func New(cfg Config, opts Options) (*Service, error) {
	cfg = cfg.Defaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("rooms: %w: %w", settings.ErrInvalid, err)
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewRegistry()
	}
	s := &Service{cfg: cfg, opts: opts, instance: bus.NewID(), natsMetrics: natsbus.NewMetrics(opts.Metrics, "rooms")}
	s.log = opts.Logger.With("instance", s.instance)
	var err error
	if s.tracer, err = tracing.New(cfg.Tracing, "rooms", s.instance, s.log); err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	s.engine = engine.New(engine.Options{
		Tracer:    s.tracer,
		Instance:  s.instance,
		Logger:    s.log,
		Ownership: s.ownership(),
		Fresh:     opts.Fresh,
		Limits: room.Limits{
			MembersPerRoom: cfg.MaxMembers, Rooms: cfg.MaxRooms, OwnerGrace: cfg.OwnerGrace.Milliseconds(),
		},
		GatewayTimeout: cfg.GatewayTimeout,
		RecoveryWindow: cfg.RecoveryWindow,
		Settle:         cfg.Settle,
		Metrics:        engine.NewMetrics(opts.Metrics),
	})
	if err = s.engine.Register(opts.Metrics); err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	return s, nil
}

// ownership returns what says which partitions are ours.
func (s *Service) ownership() engine.Ownership {
	if s.cfg.Ownership == KVOwnership {
		s.kv = ownership.NewKV(ownership.KVOptions{
			Instance: s.instance, Logger: s.log, Replicas: s.cfg.Replicas, ReleaseTimeout: s.cfg.DrainTimeout / 2,
		})
		return s.kv
	}
	return ownership.NewStatic(uint64(time.Now().UnixMilli()))
}

// Instance is the id of this run, as it appears in subjects, logs and statistics.
func (s *Service) Instance() string { return s.instance }

// Run serves until ctx ends, and returns when everything that it started has ended. Being stopped is not an error. It may
// be called once.
func (s *Service) Run(ctx context.Context) error {
	defer s.tracer.End(s.log)
	nc, closed, err := s.connect(ctx)
	switch {
	case ctx.Err() != nil && nc == nil:
		return nil // stopped before it could begin
	case errors.Is(err, natsbus.ErrConfig):
		return fmt.Errorf("rooms: %w: %w", settings.ErrInvalid, err)
	case err != nil:
		return fmt.Errorf("rooms: %w", err)
	}
	s.nc.Store(nc)
	defer func() {
		nc.Close()
		<-closed
	}()
	adm, err := s.startAdmin(nc)
	if err != nil {
		return err
	}
	if adm != nil {
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
			defer cancel()
			_ = adm.Shutdown(ctx) // what did not end in time was cut off
		}()
		stop := context.AfterFunc(ctx, adm.SetDraining)
		defer stop()
	}
	svc, err := s.register(nc)
	if err != nil {
		return fmt.Errorf("rooms: registering with NATS: %w", err)
	}
	defer func() { _ = svc.Stop() }() // fails only without a connection
	if err := s.answerOperators(nc); err != nil {
		return fmt.Errorf("rooms: subscribing: %w", err)
	}
	if err := s.serve(ctx, nc); err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	return nil
}

// serve runs the engine, and what it needs to know which partitions are ours, until ctx ends or one of them fails.
func (s *Service) serve(ctx context.Context, nc *nats.Conn) error {
	if s.kv == nil {
		return s.engine.Run(ctx, nc, s.cfg.DrainTimeout)
	}
	owning, stopOwning := context.WithCancel(ctx)
	defer stopOwning()
	// The engine goes on until the partitions are released.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	owned := make(chan error, 1)
	go func() {
		defer stopServing()
		owned <- s.kv.Run(owning, nc)
	}()
	err := s.engine.Run(serving, nc, s.cfg.DrainTimeout/2)
	stopOwning()
	for {
		select {
		case kvErr := <-owned:
			return errors.Join(err, kvErr)
		case g := <-s.kv.Grants(): // if the engine has failed
			if g.Released != nil {
				g.Released()
			}
		}
	}
}

// adminTimeout bounds the end of the admin server.
const adminTimeout = time.Second

// connect connects to NATS. The channel is closed when the connection has ended and no callback runs any more.
func (s *Service) connect(ctx context.Context) (*nats.Conn, <-chan struct{}, error) {
	nc, err := natsbus.Connect(ctx, s.cfg.NATS, natsbus.Options{
		Name:         "rooms " + s.instance,
		Metrics:      s.natsMetrics,
		Logger:       s.log,
		InboxPrefix:  "_INBOX_rooms",
		InProcess:    s.opts.InProcess,
		OnConnect:    s.connected,
		OnReconnect:  s.connected,
		OnDisconnect: s.disconnected,
	})
	if err != nil {
		return nil, nil, err
	}
	closed := make(chan struct{})
	nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
	return nc, closed, nil
}

func (s *Service) connected() {
	if s.kv != nil {
		s.kv.Connected()
	}
	s.engine.Connected()
}

func (s *Service) disconnected() {
	if s.kv != nil {
		s.kv.Disconnected()
	}
	s.engine.Disconnected()
}

func (s *Service) startAdmin(nc *nats.Conn) (*admin.Server, error) {
	if s.opts.NoAdmin {
		return nil, nil
	}
	adm, err := admin.Start(s.cfg.AdminListen, s.log)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	adm.AddCheck("nats", func(context.Context) error { return natsbus.Ready(nc) })
	adm.AddCheck("partitions", s.serves)
	adm.Handle("GET /metrics", metrics.Handler(s.opts.Metrics))
	live.Serve(adm, func(ctx context.Context, query url.Values) (any, error) {
		page := &operate.Live{Now: time.Now()}
		return page, s.Live(ctx, operate.LiveQuestion(query), page)
	})
	adm.SetStarted()
	return adm, nil
}

// ErrRecovering is wrapped by what Ready returns while partitions do not serve yet.
var ErrRecovering = errors.New("partitions do not serve yet")

// ErrNotRunning is what Ready returns before Run has begun.
var ErrNotRunning = errors.New("not running")

// Ready reports whether the service is connected and serves all partitions that it owns: nil, or an error that says why
// not. It returns when ctx ends at the latest.
func (s *Service) Ready(ctx context.Context) error {
	nc := s.nc.Load()
	if nc == nil {
		return ErrNotRunning
	}
	if err := natsbus.Ready(nc); err != nil {
		return err
	}
	return s.serves(ctx)
}

func (s *Service) serves(ctx context.Context) error {
	if s.kv != nil && !s.kv.Synced() {
		return ErrRecovering
	}
	stats, err := s.engine.Stats(ctx)
	if err != nil {
		return err
	}
	if stats.Active < stats.Owned {
		return fmt.Errorf("%w: %d of %d", ErrRecovering, stats.Owned-stats.Active, stats.Owned)
	}
	return nil
}
