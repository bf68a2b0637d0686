//go:build linux

package images

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// compose runs Docker Compose on deploy/compose.yml.
func (e *engine) compose(args ...string) string {
	e.t.Helper()
	return e.docker(append([]string{"compose", "--progress", "quiet", "-f", filepath.Join(e.root, "deploy", "compose.yml")}, args...)...)
}

// installCompose makes Compose a plugin of the client.
func (e *engine) installCompose() {
	e.t.Helper()
	plugin := need.Built(e.t, e.root, ".bin/docker-compose", "compose")
	folder := filepath.Join(e.dir, "config", "cli-plugins")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		e.t.Fatal(err)
	}
	link := filepath.Join(folder, "docker-compose")
	_ = os.Remove(link) // of a test before
	if err := os.Symlink(plugin, link); err != nil {
		e.t.Fatal(err)
	}
}

const (
	site = "127.0.0.1:8080"
	prom = "http://127.0.0.1:9090"
)

// TestComposeUp starts everything as the README says. Clients meet through the proxy, at both gateways; Prometheus sees all
// processes and takes the rules; a rooms instance is killed, and commands go on; a gateway is stopped, and clients find the other.
func TestComposeUp(t *testing.T) {
	e := newEngine(t)
	e.installCompose()
	e.build()
	t.Cleanup(func() {
		e := &engine{t: t, dir: e.dir, root: e.root}
		if t.Failed() {
			t.Logf("what the containers logged:\n%s", e.leave("logs", "--no-color", "--tail", "60"))
		}
		e.leave("down", "-v", "-t", "5")
	})
	e.compose("up", "-d", "--no-build", "--pull", "never", "--wait")
	e.hardened()

	var clients []*client.Client
	for range 4 { // the proxy gives them to the gateway that has fewer
		clients = append(clients, dialUntil(t))
	}
	meet(t, clients[0], clients[1], "one")
	meet(t, clients[2], clients[3], "two")
	demo(t)

	e.query(`count(up{job=~"signalling-.+"} == 1)`, "4")
	e.spread()
	e.query(`sum(signalling_rooms_partitions{state="active"})`, "64")
	e.rules()

	e.compose("kill", "rooms-1")
	for i := range 16 { // rooms of several partitions, of both instances
		create(t, clients[0], fmt.Sprintf("after %d", i))
	}

	e.compose("stop", "gateway-1")
	if code := e.docker("inspect", "-f", "{{.State.ExitCode}}", "signalling-gateway-1-1"); code != "0" {
		t.Errorf("gateway-1 ended with code %s", code)
	}
	late := dialUntil(t)
	create(t, late, "late")
}

// spread waits until both gateways have clients. More of them come meanwhile: the proxy may have taken a gateway for dead for a
// moment.
func (e *engine) spread() {
	e.t.Helper()
	const query = `count(signalling_gateway_connections{door="native"} > 0)`
	asked := 0
	e.until("2", func() string {
		if asked++; asked%50 == 0 {
			dialUntil(e.t)
		}
		return e.value(query)
	})
}

// leave is compose where the test has ended.
func (e *engine) leave(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := docker(ctx, e.dir, nil, append([]string{"compose", "-f", filepath.Join(e.root, "deploy", "compose.yml")}, args...)...)
	if err != nil {
		e.t.Errorf("docker compose %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// hardened looks at what the engine says of the containers.
func (e *engine) hardened() {
	e.t.Helper()
	ids := strings.Fields(e.compose("ps", "-q"))
	if len(ids) != 7 {
		e.t.Errorf("%d containers", len(ids))
	}
	const format = "{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}"
	for _, id := range ids {
		name, rest, _ := strings.Cut(e.docker("inspect", "-f", format, id), " ")
		if rest != "true [ALL] [no-new-privileges:true]" {
			e.t.Errorf("%s: %s", name, rest)
		}
	}
}

// until waits for a value.
func (e *engine) until(want string, ask func() string) {
	e.t.Helper()
	deadline := time.Now().Add(labtest.Patience)
	for got := ask(); got != want; got = ask() {
		if time.Now().After(deadline) {
			e.t.Fatalf("it is %q, and does not become %q", got, want)
		}
		<-time.After(100 * time.Millisecond) // neither the engine nor Prometheus tells of it
	}
}

// query waits until Prometheus answers a query with one value.
func (e *engine) query(query, want string) {
	e.t.Helper()
	e.until(want, func() string { return e.value(query) })
}

// value is what Prometheus answers to a query with one value.
func (e *engine) value(query string) string {
	e.t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	e.get(prom+"/api/v1/query?query="+url.QueryEscape(query), &answer)
	if len(answer.Data.Result) != 1 {
		return query + " has no one answer"
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// rules waits until Prometheus has evaluated our rules.
func (e *engine) rules() {
	e.t.Helper()
	file, err := os.ReadFile(filepath.Join(e.root, "deploy", "prometheus", "rules.yml"))
	if err != nil {
		e.t.Fatal(err)
	}
	want := len(regexp.MustCompile(`(?m)^ *- alert: `).FindAll(file, -1))
	e.until(fmt.Sprintf("%d are ok", want), func() string {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		e.get(prom+"/api/v1/rules", &answer)
		ok := 0
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					e.t.Errorf("%s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					ok++
				}
			}
		}
		return fmt.Sprintf("%d are ok", ok)
	})
}

// get asks for JSON, and leaves v as it is where there is no answer yet.
func (e *engine) get(address string, v any) {
	e.t.Helper()
	body, err := fetch(labtest.Context(e.t), address)
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		e.t.Log(err)
	}
}

func fetch(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

func demo(t *testing.T) {
	t.Helper()
	page, err := fetch(labtest.Context(t), "http://"+site+"/")
	if err != nil || !strings.Contains(string(page), "<html") {
		t.Errorf("the demo page: %v, %.200q", err, page)
	}
}

// meet lets two clients join a room and exchange a signal.
func meet(t *testing.T, a, b *client.Client, room string) {
	t.Helper()
	create(t, a, room)
	ctx := labtest.Context(t)
	if _, err := b.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if err := b.Signal(ctx, room, a.ID(), map[string]string{"hello": room}); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case m := <-a.Events():
			if s, ok := m.Event.(*client.SignalReceive); ok {
				if s.SenderID != b.ID() || !strings.Contains(string(s.Data), room) {
					t.Errorf("%+v", s)
				}
				return
			}
		case <-ctx.Done():
			t.Fatal("the signal does not arrive")
		}
	}
}

// create makes a room. While rooms have no owner, commands may be answered unavailable.
func create(t *testing.T, c *client.Client, room string) {
	t.Helper()
	ctx := labtest.Context(t)
	for {
		err := c.Create(ctx, room)
		if err == nil {
			return
		}
		t.Logf("create: %v", err)
		if ctx.Err() != nil || c.Err() != nil {
			t.Fatalf("the room cannot be created: %v", err)
		}
	}
}

// dialUntil connects, through a proxy that has to notice first that a gateway is gone.
func dialUntil(t *testing.T) *client.Client {
	t.Helper()
	ctx := labtest.Context(t)
	for {
		c, err := client.Dial(ctx, "ws://"+site+"/ws", nil)
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		t.Logf("dial: %v", err)
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
