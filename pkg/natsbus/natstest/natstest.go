// Package natstest runs real NATS servers for tests.
//
// In a testing/synctest bubble use [Bubble], [Run] and [Connect].
package natstest

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natsembed"
)

// Timeout bounds every wait in this package: long enough for a busy machine,
// short enough to say which wait it was.
const Timeout = 30 * time.Second

// Run starts an in-process server that ends with the test.
func Run(t testing.TB) *natsembed.Server {
	t.Helper()
	srv, err := natsembed.Start(natsembed.Options{Name: t.Name(), Logger: Logger(t)})
	if err != nil {
		t.Fatalf("starting NATS: %v", err)
	}
	t.Cleanup(srv.Shutdown)
	return srv
}

// Connect connects to srv with our options; the connection is closed with the
// test.
func Connect(t testing.TB, srv *natsembed.Server) *nats.Conn {
	t.Helper()
	return ConnectWith(t, natsbus.Config{}, natsbus.Options{InProcess: srv.Provider()})
}

// ConnectWith is natsbus.Connect with the connection closed at the end of the
// test. It fails the test unless the connection stands.
func ConnectWith(t testing.TB, cfg natsbus.Config, opts natsbus.Options) *nats.Conn {
	t.Helper()
	if opts.Name == "" {
		opts.Name = t.Name()
	}
	if opts.Logger == nil {
		opts.Logger = Logger(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	nc, err := natsbus.Connect(ctx, cfg, opts)
	if err != nil {
		t.Fatalf("connecting to NATS: %v", err)
	}
	t.Cleanup(nc.Close)
	if err := natsbus.Ready(nc); err != nil {
		t.Fatalf("connecting to NATS: %v", err)
	}
	return nc
}
