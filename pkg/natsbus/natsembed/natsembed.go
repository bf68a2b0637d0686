// Package natsembed runs a NATS server inside the process, where no other is wanted. It is apart from package natsbus, because a
// program that contains the server has its weight and its periodic work also when it does not run it.
package natsembed

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"signalling/pkg/natsbus"
)

// DefaultMaxPayload is the largest message, in bytes, that a [Server]
// takes when [Options] says nothing else. It equals the
// default of a stand-alone NATS server.
const DefaultMaxPayload = 1 << 20

// startTimeout bounds the start of an embedded server, which takes about a
// millisecond.
const startTimeout = 10 * time.Second

// Options configure [Start]. The zero value is usable.
type Options struct {
	// Name of the server; empty means "embedded".
	Name string

	// Logger receives the server's own log, its notices as debug messages;
	// nil means slog.Default().
	Logger *slog.Logger

	// MaxPayload is the largest message in bytes; 0 means
	// [DefaultMaxPayload].
	MaxPayload int32
}

// Server is a NATS server inside this process, without a port, files,
// JetStream or signal handlers. Only connections from this process reach it.
type Server struct {
	srv *server.Server
}

// Start starts a server and returns when it takes connections. The caller must
// call [Server.Shutdown].
func Start(opts Options) (*Server, error) {
	if opts.Name == "" {
		opts.Name = "embedded"
	}
	if opts.MaxPayload == 0 {
		opts.MaxPayload = DefaultMaxPayload
	}
	if opts.MaxPayload < 0 {
		return nil, fmt.Errorf("%w: embedded server: negative MaxPayload", natsbus.ErrConfig)
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: opts.Name,
		DontListen: true,
		MaxPayload: opts.MaxPayload,
		NoSigs:     true,
		// Nobody could log in to the system account; without it the server
		// has no periodic work of its own.
		NoSystemAccount: true,
	})
	if err != nil {
		return nil, fmt.Errorf("natsembed: embedded server: %w", err)
	}
	setServerLogger(srv, opts.Logger)
	// Without a listener Start does not block.
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errors.New("natsembed: embedded server: did not start in time")
	}
	return &Server{srv: srv}, nil
}

// Provider is what to put into [natsbus.Options].InProcess.
func (s *Server) Provider() nats.InProcessConnProvider { return s.srv }

// Shutdown closes all connections and returns when the server has ended.
// Calling it again is harmless.
func (s *Server) Shutdown() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}
