package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// What a listener's log line says it is for.
const (
	forClients = "clients"
	forAdmin   = "admin"
)

// environment is what each of our programs gets beside its own settings. A setting that is given twice has the last value.
func environment(settings ...[]string) []string {
	env := []string{
		"LOG_FORMAT=json", "LOG_LEVEL=info", "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=50",
		"GATEWAY_LIMITS=false", // tests and loads do in a second what people do in an hour
	}
	for _, s := range settings {
		env = append(env, s...)
	}
	return env
}

// NATS adds a nats-server on a port of 127.0.0.1, 0 for any free one, that stays the same when it is started again.
func (l *Lab) NATS(name string, port int, args ...string) (*Process, error) {
	if port == 0 {
		var err error
		if port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	args = append([]string{"-a", "127.0.0.1", "-p", strconv.Itoa(port)}, args...)
	return l.Add(Spec{Name: name, Program: NATSServer, Args: args, ready: natsReady}), nil
}

// NATSURL is where a process that NATS added listens.
func NATSURL(nats *Process) string { return "nats://127.0.0.1:" + nats.Args[3] }

// Rooms adds a rooms service.
func (l *Lab) Rooms(name, natsURL string, env ...string) *Process {
	settings := environment([]string{"NATS_URL=" + natsURL, "ROOMS_ADMIN_LISTEN=127.0.0.1:0"}, env)
	return l.Add(Spec{Name: name, Program: Rooms, Env: settings, ready: adminReady})
}

// Gateway adds a gateway.
func (l *Lab) Gateway(name, natsURL string, env ...string) *Process {
	settings := environment([]string{
		"NATS_URL=" + natsURL, "GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_ADMIN_LISTEN=127.0.0.1:0",
	}, env)
	return l.Add(Spec{Name: name, Program: Gateway, Env: settings, ready: adminReady})
}

// Standalone adds the one-process build.
func (l *Lab) Standalone(name string, env ...string) *Process {
	settings := environment([]string{"GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_ADMIN_LISTEN=127.0.0.1:0"}, env)
	return l.Add(Spec{Name: name, Program: Standalone, Env: settings, ready: adminReady})
}

// ClientURL is the native door of a gateway or standalone that has been started.
func ClientURL(ctx context.Context, p *Process) (string, error) {
	addr, err := p.Addr(ctx, forClients)
	return "ws://" + addr + "/ws", err
}

// natsReady waits for the server's own word.
func natsReady(ctx context.Context, p *Process) error {
	r, err := p.current()
	if err != nil {
		return err
	}
	_, err = p.log.wait(ctx, r.start, func(line string) (string, bool) {
		return "", strings.HasSuffix(line, "Server is ready")
	})
	return err
}

// adminReady asks the admin address until it says yes.
func adminReady(ctx context.Context, p *Process) error {
	addr, err := p.Addr(ctx, forAdmin)
	if err != nil {
		return err
	}
	for {
		status, err := Readiness(ctx, addr)
		if status == http.StatusOK {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond): // it offers no notification
		case <-ctx.Done():
			return fmt.Errorf("/readyz: status %d, %w", status, errors.Join(err, ctx.Err()))
		}
	}
}

// Readiness asks an admin address once, and returns the HTTP status of /readyz.
func Readiness(ctx context.Context, addr string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := impatient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// AdminAddr is the admin address of one of our programs that has been started.
func AdminAddr(ctx context.Context, p *Process) (string, error) { return p.Addr(ctx, forAdmin) }

// impatient keeps no connection, which would be in the way of a stop.
var impatient = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// FreePort finds a port of 127.0.0.1 that can be listened on again and again: it is below those that the system gives to
// outgoing connections, so that none of them takes it while a server restarts.
func FreePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(20_000) //nolint:gosec // G404: chance is enough
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port found")
}
