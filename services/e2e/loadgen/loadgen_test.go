// Package loadgen_test runs the load generator's scenarios for a moment each, on the one-process build and over two
// gateways: what it measures is for people, that it measures is for CI.
package loadgen_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func TestScenarios(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	program := filepath.Join(t.TempDir(), "loadgen")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "signalling/pkg/client/loadgen")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal(err)
	}
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		var urls []string
		for _, g := range s.Gateways {
			u, err := lab.ClientURL(ctx, g)
			if err != nil {
				t.Fatal(err)
			}
			urls = append(urls, "http"+strings.TrimSuffix(strings.TrimPrefix(u, "ws"), "/ws"))
		}
		for _, args := range []string{
			"-scenario idle -clients 8 -settle 1ms", "-scenario connect -clients 8", "-scenario rooms -clients 8",
			"-scenario relay -clients 8", "-scenario relay -clients 8 -rate 200 -bytes 1000", "-scenario fanout -room 8",
			"-scenario mesh -clients 8 -room 4", "-scenario storm -clients 8",
		} {
			run(ctx, t, program, append(strings.Fields(args), urls...))
		}
	})
}

// run runs one scenario through both doors and looks whether it has done something and measured it.
func run(ctx context.Context, t *testing.T, program string, args []string) {
	t.Helper()
	args = append([]string{"-json", "-door", "native,socketio", "-duration", "200ms", "-pid", strconv.Itoa(os.Getpid())}, args...)
	var out, log bytes.Buffer
	c := exec.CommandContext(ctx, program, args...)
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		t.Fatalf("loadgen %q: %v\n%s", args, err, log.String())
	}
	d := json.NewDecoder(&out)
	for _, door := range []string{"native", "socketio"} {
		var r struct {
			Door       string
			Operations int64
			Seconds    float64
		}
		if err := d.Decode(&r); err != nil || r.Door != door || r.Operations == 0 || r.Seconds <= 0 {
			t.Errorf("loadgen %q: %+v, %v", args, r, err)
		}
	}
}
