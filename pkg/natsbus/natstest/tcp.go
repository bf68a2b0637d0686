package natstest

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// TCPServer is a NATS server on a loopback port that can be stopped and
// started again, as an operator would.
type TCPServer struct {
	t    testing.TB
	opts server.Options

	mu  sync.Mutex // guards srv
	srv *server.Server
}

// RunTCP starts a server on a free port of 127.0.0.1 that ends with the test.
// Each configure may change the server's options first, for instance to
// demand credentials or TLS.
func RunTCP(t testing.TB, configure ...func(*server.Options)) *TCPServer {
	t.Helper()
	s := &TCPServer{t: t, opts: server.Options{
		ServerName:      t.Name(),
		Host:            "127.0.0.1",
		Port:            server.RANDOM_PORT,
		NoLog:           true,
		NoSigs:          true,
		NoSystemAccount: true,
	}}
	s.Start(configure...)
	t.Cleanup(s.Stop)
	return s
}

// URL is where the server listens; it stays the same across restarts.
func (s *TCPServer) URL() string {
	return "nats://" + net.JoinHostPort(s.opts.Host, strconv.Itoa(s.opts.Port))
}

// Start starts a stopped server, on the port it had before. Each configure may
// change its options first.
func (s *TCPServer) Start(configure ...func(*server.Options)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srv != nil {
		s.t.Fatal("NATS is already running")
	}
	for _, f := range configure {
		f(&s.opts)
	}
	opts := s.opts // the server fills in and keeps what it is given
	srv, err := server.NewServer(&opts)
	if err != nil {
		s.t.Fatalf("starting NATS: %v", err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(Timeout) {
		srv.Shutdown()
		s.t.Fatalf("NATS did not start on port %d", opts.Port)
	}
	if addr, ok := srv.Addr().(*net.TCPAddr); ok {
		s.opts.Port = addr.Port
	}
	s.srv = srv
}

// Stop ends the server and all its connections; clients are not warned.
// Stopping a stopped server does nothing.
func (s *TCPServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srv == nil {
		return
	}
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
	s.srv = nil
}

// DropClients closes every client's connection while the server goes on, as
// a broken network path would.
func (s *TCPServer) DropClients() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srv == nil {
		s.t.Fatal("NATS is not running")
	}
	conns, err := s.srv.Connz(&server.ConnzOptions{Limit: server.DefaultConnListSize})
	if err != nil {
		s.t.Fatalf("listing NATS connections: %v", err)
	}
	for _, c := range conns.Conns {
		if err := s.srv.DisconnectClientByID(c.Cid); err != nil {
			s.t.Logf("dropping a NATS connection: %v", err) // gone by itself
		}
	}
}

// WaitForClients returns when n clients are connected, and fails the test if
// that does not happen within [Timeout].
func (s *TCPServer) WaitForClients(n int) {
	s.t.Helper()
	s.waitFor(fmt.Sprintf("%d clients", n), func(srv *server.Server) bool { return srv.NumClients() == n })
}

// WaitForRefusals returns when the server has turned away n connections since
// it was started, and fails the test if that does not happen within
// [Timeout].
func (s *TCPServer) WaitForRefusals(n int) {
	s.t.Helper()
	s.waitFor(fmt.Sprintf("%d refused connections", n), func(srv *server.Server) bool {
		closed, err := srv.Connz(&server.ConnzOptions{State: server.ConnClosed, Limit: n})
		if err != nil {
			return false
		}
		refused := 0
		for _, c := range closed.Conns {
			if c.Reason == server.AuthenticationViolation.String() {
				refused++
			}
		}
		return refused >= n
	})
}

// waitFor asks until done says yes: the server offers no notifications.
func (s *TCPServer) waitFor(what string, done func(*server.Server) bool) {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Timeout); !s.ask(done); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("NATS does not have %s", what)
		}
	}
}

func (s *TCPServer) ask(question func(*server.Server) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv != nil && question(s.srv)
}
