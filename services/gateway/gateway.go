// Package gateway is the service that clients connect to: it terminates their connections, forwards their commands to the
// rooms service over NATS, and delivers events and signals. It holds no state of its own that could not be told again.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/client"
	"signalling/api/operate"
	"signalling/pkg/admin"
	"signalling/pkg/admin/live"
	"signalling/pkg/client/js"
	"signalling/pkg/metrics"
	"signalling/pkg/natsbus"
	"signalling/pkg/settings"
	"signalling/pkg/tracing"
	"signalling/pkg/wsock"
	"signalling/services/gateway/internal/demo"
	"signalling/services/gateway/internal/door"
	"signalling/services/gateway/internal/hub"
)

// Options are what a program gives beside the settings.
type Options struct {
	// Logger receives the gateway's log; nil means slog.Default().
	Logger *slog.Logger
	// InProcess, if set, is the NATS server in this process, and the NATS settings are not used.
	InProcess nats.InProcessConnProvider
	// Root, if set, answers requests for everything but the doors and the browser SDK, in place of the demo page.
	Root http.Handler
	// Metrics is where the gateway's metrics go, and what its admin server shows. Nil means a registry of its own. Two
	// gateways cannot share one.
	Metrics *prometheus.Registry
	// Live, if set, adds what else is in the process to the page on the admin address, in place of the rooms as the gateway
	// knows them.
	Live func(context.Context, operate.Question, *operate.Live) error
}

// Gateway is one gateway. Make it with New, then call Run once.
type Gateway struct {
	cfg     Config
	log     *slog.Logger
	metrics *prometheus.Registry
	doors   *door.Metrics
	tracer  *tracing.Tracer
	nc      *nats.Conn
	hub     *hub.Hub
	native  *door.Native
	sio     *door.SocketIO
	clients net.Listener
	http    *http.Server
	admin   *admin.Server
	release context.CancelFunc // ends what New has started beside the connection and the addresses

	operators operators
	inProcess bool                                                         // NATS is
	more      func(context.Context, operate.Question, *operate.Live) error // Options.Live
}

// New connects to the bus and binds the addresses. Errors that wrap settings.ErrInvalid need a person.
func New(ctx context.Context, cfg Config, opts Options) (*Gateway, error) {
	g := &Gateway{cfg: cfg, log: opts.Logger, metrics: opts.Metrics, operators: newOperators(), more: opts.Live, inProcess: opts.InProcess != nil}
	if g.log == nil {
		g.log = slog.Default()
	}
	if g.metrics == nil {
		g.metrics = metrics.NewRegistry()
	}
	g.doors = door.NewMetrics(g.metrics)
	origins, err := door.NewOrigins(cfg.Origins)
	if err != nil {
		return nil, fmt.Errorf("%w: GATEWAY_ORIGINS: %w", settings.ErrInvalid, err)
	}
	var life context.Context
	life, g.release = context.WithCancel(context.WithoutCancel(ctx))
	if err := g.open(ctx, life, opts, origins); err != nil {
		g.release()
		return nil, err
	}
	return g, nil
}

// open does what New does. life ends with the gateway.
func (g *Gateway) open(ctx, life context.Context, opts Options, origins *door.Origins) error {
	auth, err := g.cfg.Auth.auth(life, g.log)
	if err != nil {
		return err
	}
	if err := g.cfg.checkOpen(auth); err != nil {
		return err
	}
	proxies, err := g.cfg.Limits.proxies()
	if err != nil {
		return fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	if err := g.connect(ctx, opts); err != nil {
		return err
	}
	doors := g.doorConfig(origins)
	doors.Auth, doors.Limits, doors.ICE, doors.Proxies = auth, g.cfg.Limits.limits(), g.cfg.ICE.ice(), proxies
	doors = doors.Share()
	g.native = door.NewNative(doors, g.hub)
	g.sio = door.NewSocketIO(doors, g.cfg.Polling, g.hub)
	if err := g.listen(ctx, opts.Root, doors); err != nil {
		g.nc.Close()
		return err
	}
	return nil
}

func (g *Gateway) connect(ctx context.Context, opts Options) error {
	var made atomic.Pointer[hub.Hub] // the connection may be lost before there is a hub
	lost := func() {
		if h := made.Load(); h != nil {
			h.AnnounceAll()
		}
	}
	nc, err := natsbus.Connect(ctx, g.cfg.NATS, natsbus.Options{
		Name: "gateway", Logger: g.log, InboxPrefix: "_INBOX_gw", InProcess: opts.InProcess,
		OnReconnect: lost, OnSlowConsumer: lost, Metrics: natsbus.NewMetrics(g.metrics, "gateway"),
	})
	if err != nil {
		return err
	}
	g.nc = nc
	g.hub, err = hub.New(hub.Config{
		CommandTimeout: g.cfg.CommandTimeout, AttemptTimeout: attemptTimeout,
		AnnounceInterval: announceInterval, MaxPending: g.cfg.MaxPending, MaxRooms: g.cfg.Limits.maxRooms(),
		Metrics: hub.NewMetrics(g.metrics), Negotiations: g.cfg.NegotiationMetrics,
		Limited: func() { g.doors.Limited(door.KindRooms) },
		Resume:  g.cfg.Resume.hub(),
	}, nc, g.log)
	if err == nil {
		err = g.hub.Register(g.metrics)
	}
	if err != nil {
		nc.Close()
		return err
	}
	made.Store(g.hub)
	g.tracer, err = tracing.New(g.cfg.Tracing, "gateway", g.hub.ID(), g.log)
	if err != nil {
		nc.Close()
		return err
	}
	g.hub.Trace(g.tracer)
	return nil
}

func (g *Gateway) doorConfig(origins *door.Origins) door.Config {
	return door.Config{
		MaxMessageBytes: int64(g.cfg.MaxMessage),
		PingInterval:    g.cfg.PingInterval,
		PingTimeout:     g.cfg.PingTimeout,
		QueueFrames:     g.cfg.QueueFrames,
		QueueBytes:      int(g.cfg.QueueSize),
		WriteTimeout:    writeTimeout,
		CloseTimeout:    min(closeTimeout, g.cfg.DrainTimeout),
		Origins:         origins,
		Logger:          g.log.With("gateway", g.hub.ID()),
		Metrics:         g.doors,
	}
}

func (g *Gateway) listen(ctx context.Context, root http.Handler, doors door.Config) (err error) {
	if g.clients, err = g.listenClients(ctx, doors); err != nil {
		return fmt.Errorf("gateway: GATEWAY_LISTEN: %w", err)
	}
	if g.admin, err = admin.Start(g.cfg.AdminListen, g.log); err != nil {
		return errors.Join(fmt.Errorf("gateway: GATEWAY_ADMIN_LISTEN: %w", err), g.clients.Close())
	}
	g.admin.AddCheck("nats", func(context.Context) error { return natsbus.Ready(g.nc) })
	g.admin.Handle("GET /metrics", metrics.Handler(g.metrics))
	live.Serve(g.admin, g.live)
	mux := http.NewServeMux()
	mux.Handle("GET /ws", g.doors.Native(g.native))
	mux.Handle("/socket.io/", g.doors.SocketIO(g.sio))
	mux.Handle("/ice-servers", door.ICEServers(doors))
	g.handlePages(mux, root)
	handler := boundBodies(mux)
	g.clients = wsock.NewFront(g.clients, handler, g.log)
	g.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug), // TLS and header noise of strangers
	}
	g.log.Info("listening", "for", "clients", "addr", g.Addr().String(), "gateway", g.hub.ID())
	return nil
}

// handlePages adds what browsers load: the SDK, and the demo page or what the program gives in its place.
func (g *Gateway) handlePages(mux *http.ServeMux, root http.Handler) {
	sdk := js.Handler()
	for _, path := range js.Paths {
		mux.Handle("GET "+path, sdk)
	}
	if root == nil && g.cfg.Demo {
		root = demo.Handler()
	}
	if root != nil {
		mux.Handle("/", root)
	}
}

// Addr is the address of the client doors.
func (g *Gateway) Addr() net.Addr { return g.clients.Addr() }

// AdminAddr is the address of health and admin.
func (g *Gateway) AdminAddr() net.Addr { return g.admin.Addr() }

// Run serves until ctx ends, or an operator wants it to end, then drains: no new clients, the present ones are told to go, and after DrainTimeout the rest
// are cut off. When it returns, nothing of the gateway is left.
func (g *Gateway) Run(ctx context.Context) error {
	g.hub.Start()
	if err := g.answerOperators(); err != nil {
		g.log.Error("operators are not answered", "error", err)
	}
	g.admin.SetStarted()
	served := make(chan error, 1)
	go func() { served <- g.http.Serve(g.clients) }()
	select {
	case err := <-served:
		g.drain()
		return err
	case <-ctx.Done():
	case <-g.operators.asked:
	}
	g.drain()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (g *Gateway) drain() {
	defer g.release()
	defer g.operators.wait()
	g.operators.draining.Store(true)
	g.log.Info("draining", "clients", g.hub.Sessions())
	g.admin.SetDraining()
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.DrainTimeout)
	defer cancel()
	g.native.Shut()
	g.sio.Refuse()
	g.hub.Drain(ctx, client.CloseGoingAway, min(g.cfg.DrainSpread, g.cfg.DrainTimeout/2))
	if g.hub.Resumes() {
		g.sio.Left(ctx)
	}
	if err := g.sio.Shutdown(ctx); err != nil {
		g.log.Warn("clients were cut off", "door", "socket.io", "error", err)
	}
	g.native.Wait() // bounded by closeTimeout, after which connections are cut off
	if err := g.http.Shutdown(ctx); err != nil {
		_ = g.http.Close() // what is left are requests that never became clients
	}
	if g.hub.Resumes() {
		g.hub.Away(ctx)
	}
	g.hub.Stop()
	if err := g.nc.FlushTimeout(time.Second); err != nil {
		g.log.Warn("the bus was not told of the end", "error", err)
	}
	g.nc.Close()
	g.tracer.End(g.log)
	if err := g.admin.Shutdown(ctx); err != nil {
		g.log.Warn("admin requests were cut off", "error", err)
	}
}
