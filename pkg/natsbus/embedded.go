package natsbus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// DefaultMaxPayload is the largest message, in bytes, that an [Embedded]
// server takes when [EmbeddedOptions] says nothing else. It equals the
// default of a stand-alone NATS server.
const DefaultMaxPayload = 1 << 20

// startTimeout bounds the start of an embedded server, which takes about a
// millisecond.
const startTimeout = 10 * time.Second

// EmbeddedOptions configure [StartEmbedded]. The zero value is usable.
type EmbeddedOptions struct {
	// Name of the server; empty means "embedded".
	Name string

	// Logger receives the server's own log, its notices as debug messages;
	// nil means slog.Default().
	Logger *slog.Logger

	// MaxPayload is the largest message in bytes; 0 means
	// [DefaultMaxPayload].
	MaxPayload int32
}

// Embedded is a NATS server inside this process, without a port, files,
// JetStream or signal handlers. Only connections from this process reach it.
type Embedded struct {
	srv *server.Server
}

// StartEmbedded starts a server and returns when it takes connections. The
// caller must call [Embedded.Shutdown].
func StartEmbedded(opts EmbeddedOptions) (*Embedded, error) {
	if opts.Name == "" {
		opts.Name = "embedded"
	}
	if opts.MaxPayload == 0 {
		opts.MaxPayload = DefaultMaxPayload
	}
	if opts.MaxPayload < 0 {
		return nil, fmt.Errorf("%w: embedded server: negative MaxPayload", ErrConfig)
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
		return nil, fmt.Errorf("natsbus: embedded server: %w", err)
	}
	setServerLogger(srv, opts.Logger)
	// Without a listener Start does not block.
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errors.New("natsbus: embedded server: did not start in time")
	}
	return &Embedded{srv: srv}, nil
}

// Server is what to put into [Options].InProcess.
func (e *Embedded) Server() nats.InProcessConnProvider { return e.srv }

// Shutdown closes all connections and returns when the server has ended.
// Calling it again is harmless.
func (e *Embedded) Shutdown() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}
