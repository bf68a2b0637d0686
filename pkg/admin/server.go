// Package admin is the HTTP server that operators and orchestrators talk to,
// on an address of its own:
//
//   - GET /healthz says whether the process is alive. It depends on nothing
//     else, so that an outage of something else restarts nobody.
//
//   - GET /readyz says whether new work should come here, and if not, why.
//
//   - GET /debug/pprof/ has the runtime's profiles, for go tool pprof. They
//     show code and memory: keep the address away from strangers.
//
//   - GET and PUT /log/level show and change the least severe level that is
//     logged: curl -X PUT -d debug http://127.0.0.1:8081/log/level
//
// On loopback it answers those who call it by an IP address, localhost or the
// host that it listens on, so that no page of another site reads it through
// the browser of somebody on this machine (DNS rebinding); /healthz, /readyz
// and /metrics are answered by any name.
//
// Programs add what else they have with [Server.Handle], the page of package
// live among it.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// Limits of the server. There are few requests and no large ones; the write
// limit leaves room for a profile taken over half a minute.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 90 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
)

// Server is an admin server. Make one with [Start].
type Server struct {
	readiness

	log      *slog.Logger
	mux      *http.ServeMux
	http     *http.Server
	listener net.Listener
	done     chan struct{} // closed when serving has ended
}

// Start listens on addr (host:port, port 0 for any free one) and serves until
// [Server.Shutdown]. /readyz says no until SetStarted is called. A nil log
// means slog.Default().
func Start(addr string, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.Default()
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := newServer(log)
	s.listener = l
	s.http.Handler = guard(addr, s.mux)
	go s.serve()
	log.Info("listening", "for", "admin", "addr", s.Addr().String())
	return s, nil
}

// newServer is Start without a network.
func newServer(log *slog.Logger) *Server {
	s := &Server{log: log, mux: http.NewServeMux(), done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.mux,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout, // of bodies that do not come, too
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.mux.HandleFunc("GET /healthz", serveHealth)
	s.mux.HandleFunc("GET /readyz", s.serveReady)
	s.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	s.mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	s.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	s.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	s.serveLogLevel()
	return s
}

// serve answers requests until Shutdown.
func (s *Server) serve() {
	defer close(s.done)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("the admin server ended", "error", err)
	}
}

// Addr is the address in use.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Handle adds a handler for a pattern of [http.ServeMux], at any time. It
// panics if the pattern is invalid or taken.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Shutdown stops listening, waits for the requests in progress and returns
// when serving has ended. When ctx ends first, the rest is cut off and ctx's
// error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // its error could only repeat the above
	}
	<-s.done
	return err
}

// serveHealth is GET /healthz: being able to answer is the answer.
func serveHealth(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, status{Status: "ok"})
}
