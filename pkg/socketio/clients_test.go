//go:build unix

package socketio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// clientsDir holds the published clients and what they do; see its package.json.
const clientsDir = "testdata/clients"

// needClients skips a test on a machine without Node or without the clients, and fails it there in CI.
func needClients(t *testing.T) string {
	t.Helper()
	missing := ""
	node, err := exec.LookPath("node")
	if err != nil {
		missing = "Node.js (no node in PATH)"
	} else if _, err := os.Stat(filepath.Join(clientsDir, "node_modules", "socket.io-client-4")); err != nil {
		missing = "pkg/socketio/testdata/clients/node_modules (run npm ci there)"
	}
	switch {
	case missing == "":
	case os.Getenv("CI") == "true":
		t.Fatal("the tests with real Socket.IO clients need " + missing)
	default:
		t.Skip("the tests with real Socket.IO clients need " + missing)
	}
	return node
}

// application is the handler that scenarios.js speaks to.
type application struct {
	mu        sync.Mutex // guards what follows
	ended     map[string]Reason
	connected int

	gone chan Reason
}

func (a *application) Connect(_ *Session, auth json.RawMessage, r *http.Request) error {
	var in struct {
		Refuse string `json:"refuse"`
	}
	if auth != nil {
		if err := json.Unmarshal(auth, &in); err != nil {
			return err
		}
	}
	if r.URL.Query().Has("refuse") { // client 2 has no auth object
		in.Refuse = r.URL.Query().Get("refuse")
	}
	switch in.Refuse {
	case "":
		a.mu.Lock()
		a.connected++
		a.mu.Unlock()
		return nil
	case "yes":
		return &ConnectError{Message: "not for you", Data: []byte(`{"code":7}`)}
	}
	return &ConnectError{Message: "not for you"}
}

func (a *application) Event(s *Session, ack AckID, payload []byte, attachments [][]byte) error {
	var args []any
	if err := json.Unmarshal(payload, &args); err != nil {
		return err
	}
	switch args[0] {
	case "whoami":
		return a.answer(s, ack, s.ID())
	case "transport":
		return a.answer(s, ack, s.Transport())
	case "reason-of":
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.answer(s, ack, a.ended[args[1].(string)].String())
	case "server-close":
		if err := s.Send(NewEvent([]byte(`["last","words"]`))); err != nil {
			return err
		}
		s.Close(4000, "as you wish")
		return nil
	}
	if ack.Wanted() {
		return s.Ack(ack, payload, attachments...)
	}
	return s.Send(NewEvent(payload, attachments...))
}

func (a *application) answer(s *Session, ack AckID, text string) error {
	b, err := json.Marshal([]string{text})
	if err != nil {
		return err
	}
	return s.Ack(ack, b)
}

func (a *application) Disconnect(s *Session, reason Reason) {
	a.mu.Lock()
	a.ended[s.ID()] = reason
	a.mu.Unlock()
	a.gone <- reason
}

// serveApplication starts a server for real clients.
func serveApplication(t *testing.T, c Config) (*application, string) {
	t.Helper()
	a := &application{ended: make(map[string]Reason), gone: make(chan Reason, 1000)}
	c.Polling = true
	srv := NewServer(c, a)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	web := httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return a, web.URL
}

// runClient runs scenarios in one process, to its end.
func runClient(t *testing.T, node, url, version, transport string, scenarios ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append([]string{"run.js", url, version, transport}, scenarios...)...)
	cmd.Dir = clientsDir
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	err := cmd.Run()
	if want := "ok " + strings.Join(scenarios, "\nok ") + "\n"; err != nil || out.String() != want {
		t.Errorf("client %s, %s: %v\n%s%s", version, transport, err, out.String(), failure.String())
	}
}

// TestRealClients runs the published clients 4, 3 and 2 with each choice of transports.
func TestRealClients(t *testing.T) {
	node := needClients(t)
	a, url := serveApplication(t, Config{})
	for _, version := range []string{"4", "3", "2"} {
		for _, transport := range []string{"websocket", "polling", "default"} {
			t.Run("client "+version+" "+transport, func(t *testing.T) {
				runClient(t, node, url, version, transport, "echo", "acknowledgements", "ids", "binary", "order", "upgrade",
					"large", "tooLarge", "serverClose", "clientClose", "namespace", "connectError", "connectErrorText")
			})
		}
	}
	t.Run("binary payloads of EIO 3", func(t *testing.T) { runClient(t, node, url, "2", "polling", "binaryPayload") })
	// All processes have ended, and so have their sessions: because a side said so, or because the network did.
	a.mu.Lock()
	connected := a.connected
	a.mu.Unlock()
	for range connected {
		switch reason := next(t, "end of a session", a.gone); reason {
		case ReasonPingTimeout, ReasonParseError, ReasonQueueFull, ReasonShutdown:
			t.Errorf("a session ended with %q", reason)
		}
	}
}

// TestRealClientsBeat checks the heartbeats of each version, and that a frozen process is dropped, on each transport.
func TestRealClientsBeat(t *testing.T) {
	node := needClients(t)
	for _, version := range []string{"4", "3", "2"} {
		for _, transport := range []string{"websocket", "polling", "default"} {
			t.Run(fmt.Sprintf("client %s %s", version, transport), func(t *testing.T) {
				t.Parallel() // they mostly wait
				a, url := serveApplication(t, Config{PingInterval: 300 * time.Millisecond, PingTimeout: 1500 * time.Millisecond})
				runClient(t, node, url, version, transport, "heartbeats")
				next(t, "end of the client", a.gone)
				freezeClient(t, a, node, url, version, transport)
			})
		}
	}
}

// freezeClient stops a connected client's process: its connections stay, but nothing answers.
func freezeClient(t *testing.T, a *application, node, url, version, transport string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node, "run.js", url, version, transport, "frozen")
	cmd.Dir = clientsDir
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the client said %q, %v: %s", line, err, failure.String())
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if reason := next(t, "end of the frozen client", a.gone); reason != ReasonPingTimeout {
		t.Errorf("ended with %q", reason)
	}
}
