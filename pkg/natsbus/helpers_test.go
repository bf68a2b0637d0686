package natsbus_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
)

// provider is an in-process server that can be replaced by another.
type provider struct {
	mu  sync.Mutex // guards srv
	srv *natsembed.Server
}

func (p *provider) set(srv *natsembed.Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.srv = srv
}

func (p *provider) InProcessConn() (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.srv.Provider().InProcessConn()
}

// echo answers requests on subject with their own data.
func echo(t *testing.T, nc *nats.Conn, subject string) {
	t.Helper()
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		if err := m.Respond(m.Data); err != nil {
			t.Errorf("responding: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
}

func flush(t *testing.T, nc *nats.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), natstest.Timeout)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatalf("flushing: %v", err)
	}
}

// request sends data to an echo and expects it back.
func request(t *testing.T, nc *nats.Conn, subject, data string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), natstest.Timeout)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, []byte(data))
	if err != nil {
		t.Fatalf("request on %s: %v", subject, err)
	}
	if string(m.Data) != data {
		t.Fatalf("request on %s answered %q, want %q", subject, m.Data, data)
	}
}

// await waits until something arrives on c.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(natstest.Timeout):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}
