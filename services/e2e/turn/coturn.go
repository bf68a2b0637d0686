// Package turn runs coturn, and its tests make calls through it with the credentials that a gateway gives out.
package turn

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// Secret is what the server and the gateways share.
const Secret = "the secret of the TURN server in tests"

// Server is a coturn on 127.0.0.1 that ends with the test.
type Server struct {
	// URL is for GATEWAY_ICE_SERVERS.
	URL string

	log labtest.Buffer
}

// Log is what the server has said.
func (s *Server) Log() string { return s.log.String() }

// patience bounds the start of the server.
const patience = 30 * time.Second

// Start starts a server, or skips the test where coturn is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	program := need.Program(t, "turnserver", "coturn")
	port, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "turnserver.conf")
	text := fmt.Sprintf(`listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port=%d
use-auth-secret
static-auth-secret=%s
realm=test
allow-loopback-peers
no-tls
no-dtls
no-cli
log-file=stdout
simple-log
verbose
pidfile=%s
userdb=%s
`, port, Secret, filepath.Join(dir, "pid"), filepath.Join(dir, "db"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: fmt.Sprintf("turn:127.0.0.1:%d?transport=udp", port)}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-c", conf) //nolint:gosec // G204: the package that was found
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &s.log, &s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("coturn said:\n%s", s.Log())
		}
	})
	s.await(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), ended)
	return s
}

// await waits until the server listens, by TCP as by UDP; it does not tell.
func (s *Server) await(t testing.TB, addr string, ended <-chan struct{}) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("coturn has ended:\n%s", s.Log())
		case <-deadline:
			t.Fatalf("coturn does not listen:\n%s", s.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
