// Package standalone is the whole product in one process: the gateway, the rooms service, and an embedded NATS server
// between them that has no port and no files. The services are the same as those that run separately.
package standalone

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/pkg/metrics"
	"signalling/pkg/natsbus/natsembed"
	"signalling/services/gateway"
	"signalling/services/rooms"
)

// Config holds the settings of both services. Without a NATS URL the embedded server is used.
type Config struct {
	Gateway gateway.Config
	Rooms   rooms.Config
}

// Defaults are the settings that differ from those of the separate services: everything on loopback, NATS embedded,
// one admin address for both, and the demo page on.
var Defaults = map[string]string{
	"GATEWAY_DEMO":       "true",
	"GATEWAY_LISTEN":     "127.0.0.1:8080",
	"ROOMS_ADMIN_LISTEN": "",
	"NATS_URL":           "",
}

// Options are what a program gives beside the settings.
type Options struct {
	// Logger receives the log; nil means slog.Default().
	Logger *slog.Logger
	// Root, if set, answers requests for everything but the doors and the browser SDK, in place of the demo page.
	Root http.Handler
}

// Server is the whole product. Make it with New, then call Run once.
type Server struct {
	log     *slog.Logger
	metrics *prometheus.Registry // of both services
	bus     *natsembed.Server    // nil if NATS is elsewhere
	rooms   *rooms.Service
	gateway *gateway.Gateway
}

// New starts the embedded server and binds the addresses.
func New(ctx context.Context, cfg Config, opts Options) (*Server, error) {
	s := &Server{log: opts.Logger, metrics: metrics.NewRegistry()}
	if s.log == nil {
		s.log = slog.Default()
	}
	var inProcess nats.InProcessConnProvider
	if cfg.Gateway.NATS.URL == "" {
		embedded, err := natsembed.Start(natsembed.Options{Logger: s.log})
		if err != nil {
			return nil, err
		}
		s.bus, inProcess = embedded, embedded.Provider()
	}
	err := s.make(ctx, cfg, opts, inProcess)
	if err != nil {
		s.stopBus()
		return nil, err
	}
	return s, nil
}

func (s *Server) make(ctx context.Context, cfg Config, opts Options, inProcess nats.InProcessConnProvider) (err error) {
	s.rooms, err = rooms.New(cfg.Rooms, rooms.Options{
		Logger: s.log, InProcess: inProcess, Fresh: s.bus != nil, NoAdmin: cfg.Rooms.AdminListen == "",
		Metrics: s.metrics,
	})
	if err != nil {
		return err
	}
	s.gateway, err = gateway.New(ctx, cfg.Gateway, gateway.Options{
		Logger: s.log, InProcess: inProcess, Root: opts.Root, Metrics: s.metrics, Live: s.rooms.Live,
	})
	return err
}

func (s *Server) stopBus() {
	if s.bus != nil {
		s.bus.Shutdown()
	}
}

// Addr is the address of the client doors.
func (s *Server) Addr() net.Addr { return s.gateway.Addr() }

// AdminAddr is the address of health and admin.
func (s *Server) AdminAddr() net.Addr { return s.gateway.AdminAddr() }

// Run serves until ctx ends, and then stops the parts one after the other: the gateway, which sends its clients away, then
// the rooms, then the bus. When it returns, nothing is left.
func (s *Server) Run(ctx context.Context) error {
	defer s.stopBus()
	roomsCtx, stopRooms := context.WithCancel(context.WithoutCancel(ctx))
	gatewayCtx, stopGateway := context.WithCancel(ctx)
	defer stopGateway()
	roomsEnded := make(chan error, 1)
	go func() {
		err := s.rooms.Run(roomsCtx)
		stopGateway() // without the rooms there is nothing to serve
		roomsEnded <- err
	}()
	err := s.gateway.Run(gatewayCtx)
	stopRooms()
	return errors.Join(err, <-roomsEnded)
}
