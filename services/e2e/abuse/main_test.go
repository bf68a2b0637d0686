package abuse

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// victim is a server with its limits on, and two clients that use it as people do.
type victim struct {
	*labtest.Site
	t          testing.TB
	admin      string
	alice, bob *client.Client
	heard      chan string // bob's signals
	before     figures
}

// figures is what a process holds.
type figures struct{ heap, goroutines, files float64 }

// attack starts a server of its own for a test.
func attack(t *testing.T, env ...string) *victim {
	t.Helper()
	v := &victim{Site: labtest.PrivateOneProcess(t, append([]string{"GATEWAY_LIMITS=true"}, env...)...), t: t}
	var err error
	if v.admin, err = lab.AdminAddr(labtest.Context(t), v.Gateways[0]); err != nil {
		t.Fatal(err)
	}
	v.alice, v.bob = v.Dial(), v.Dial()
	ctx := labtest.Context(t)
	if err := v.alice.Create(ctx, "bystanders"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.bob.Join(ctx, "bystanders"); err != nil {
		t.Fatal(err)
	}
	v.heard = make(chan string, 1)
	go func() {
		for range v.alice.Events() {
		}
	}()
	go func() {
		defer close(v.heard)
		for m := range v.bob.Events() {
			if s, ok := m.Event.(*client.SignalReceive); ok {
				v.heard <- string(s.Data)
			}
		}
	}()
	v.serves()
	v.before = v.figures()
	return v
}

// addr is the address of the doors.
func (v *victim) addr() string {
	return strings.TrimSuffix(strings.TrimPrefix(v.URLOf(0), "ws://"), "/ws")
}

// serves asserts that others are served: a command is answered, and a signal arrives.
func (v *victim) serves() {
	v.t.Helper()
	ctx := labtest.Context(v.t)
	if err := v.alice.Leave(ctx, "nowhere"); err == nil {
		v.t.Fatal("a room that nobody made was left")
	} else if ctx.Err() != nil {
		v.t.Fatalf("others are not answered: %v", err)
	}
	if err := v.alice.Signal(ctx, "bystanders", v.bob.ID(), "are you there?"); err != nil {
		v.t.Fatal(err)
	}
	select {
	case _, ok := <-v.heard:
		if !ok {
			v.t.Fatalf("a bystander was dropped: %v", v.bob.Err())
		}
	case <-ctx.Done():
		v.t.Fatal("signals of others do not arrive")
	}
}

// during runs an attack and asserts that others are served while it lasts.
func (v *victim) during(run func()) {
	v.t.Helper()
	var attacker sync.WaitGroup
	done := make(chan struct{})
	attacker.Go(func() {
		defer close(done)
		run()
	})
	defer attacker.Wait()
	for {
		v.serves()
		select {
		case <-done:
			v.serves()
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

var pages = http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// figures reads the process's metrics.
func (v *victim) figures() (f figures) {
	v.t.Helper()
	resp, err := pages.Get("http://" + v.admin + "/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, _ := strconv.ParseFloat(text, 64)
		switch name {
		case "go_memstats_heap_inuse_bytes":
			f.heap = value
		case "go_goroutines":
			f.goroutines = value
		case "process_open_fds":
			f.files = value
		}
	}
	return f
}

// metric reads one series of the server.
func (v *victim) metric(series string) float64 {
	v.t.Helper()
	resp, err := pages.Get("http://" + v.admin + "/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			value, _ := strconv.ParseFloat(text, 64)
			return value
		}
	}
	v.t.Fatalf("there is no %s", series)
	return 0
}

// holds asserts that the process holds at most so much more than before the attack.
func (v *victim) holds(mebibytes, goroutines, files float64) {
	v.t.Helper()
	now := v.figures()
	if d := (now.heap - v.before.heap) / (1 << 20); d > mebibytes {
		v.t.Errorf("the heap has grown by %.1f MiB, at most %.0f are allowed", d, mebibytes)
	}
	if d := now.goroutines - v.before.goroutines; d > goroutines {
		v.t.Errorf("there are %.0f goroutines more, at most %.0f are allowed", d, goroutines)
	}
	if d := now.files - v.before.files; d > files {
		v.t.Errorf("there are %.0f open files more, at most %.0f are allowed", d, files)
	}
	v.t.Logf("heap %+.1f MiB, goroutines %+.0f, files %+.0f", (now.heap-v.before.heap)/(1<<20),
		now.goroutines-v.before.goroutines, now.files-v.before.files)
}

// slack is what a process may hold more for other reasons: idle connections of tests, pools, timers.
const slack = 10

// recovers waits until the goroutines and files of the attack are gone.
func (v *victim) recovers() {
	v.t.Helper()
	v.eventually("what the attack has cost is given back", func() bool {
		now := v.figures()
		return now.goroutines <= v.before.goroutines+slack && now.files <= v.before.files+slack
	})
}

// eventually asks until yes is the answer, where nobody tells.
func (v *victim) eventually(what string, yes func() bool) {
	v.t.Helper()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(labtest.Patience); !yes(); <-every.C {
		if time.Now().After(end) {
			v.t.Fatalf("%s: not in time; %+v, before %+v", what, v.figures(), v.before)
		}
	}
}

// connect opens TCP connections.
func (v *victim) connect(n int) []net.Conn {
	v.t.Helper()
	all := make([]net.Conn, n)
	for i := range all {
		nc, err := net.Dial("tcp", v.addr())
		if err != nil {
			v.t.Fatal(err)
		}
		v.t.Cleanup(func() { _ = nc.Close() })
		all[i] = nc
	}
	return all
}

// ended waits until the server has ended each connection.
func ended(t *testing.T, all []net.Conn) {
	t.Helper()
	buf := make([]byte, 4096)
	for _, nc := range all {
		_ = nc.SetReadDeadline(time.Now().Add(labtest.Patience))
		for {
			if _, err := nc.Read(buf); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the server keeps the connection")
				}
				break
			}
		}
	}
}

const upgrade = "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"

func upgradeRequest(addr, more string) string { return fmt.Sprintf(upgrade, addr, more) }
