// Command doorcost compares what a Socket.IO client by WebSocket costs the server with what a native one costs: memory of an
// idle connection, and CPU time of a signal. It starts the one-process build anew for each measurement, puts the load
// generator's load on it, by one door and then by the other, and prints the medians and their ratio.
//
//	go run ./services/e2e/cmd/doorcost            from the repository's folder, on a machine that has nothing else to do
//
// It ends with exit code 1 if a Socket.IO client costs more than the bound.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// The doors, as the load generator calls them.
const (
	native   = "native"
	socketIO = "socketio"
)

// measure is one thing to compare.
type measure struct {
	name, unit string
	args       []string // of the load generator
	value      func(result) float64
}

// result is what is read of the load generator's.
type result struct {
	Operations                int64
	CPUMicros, BytesPerClient float64
}

type options struct {
	rounds, clients, rate int
	duration              time.Duration
	bound                 float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each door is measured")
	flag.IntVar(&o.clients, "clients", 2000, "idle clients, in rooms of 4")
	flag.IntVar(&o.rate, "rate", 5000, "signals a second")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long signals are sent; 0 measures memory alone")
	flag.Float64Var(&o.bound, "bound", 1.10, "the highest ratio of Socket.IO to native that is good")
	flag.Parse()
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "doorcost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "doorcost-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, pkg := range []string{"signalling/services/standalone/cmd/standalone", "signalling/pkg/client/loadgen"} {
		if err := command(ctx, "go", "build", "-o", dir+"/", pkg).Run(); err != nil {
			return fmt.Errorf("building %s: %w", pkg, err)
		}
	}
	var bad error
	for _, m := range o.measures() {
		ratio, err := compare(ctx, dir, o, m)
		if err != nil {
			return err
		}
		if ratio > o.bound {
			bad = errors.Join(bad, fmt.Errorf("%s: the ratio %.3f is above %.2f", m.name, ratio, o.bound))
		}
	}
	return bad
}

// measures are what is compared.
func (o *options) measures() []measure {
	all := []measure{
		{
			name: "memory of an idle connection", unit: "bytes",
			args:  []string{"-scenario", "idle", "-clients", strconv.Itoa(o.clients), "-room", "4", "-settle", "3s", "-duration", "100ms"},
			value: func(r result) float64 { return r.BytesPerClient },
		},
		{
			name: "CPU time of a signal", unit: "µs",
			args:  []string{"-scenario", "relay", "-clients", "100", "-rate", strconv.Itoa(o.rate), "-duration", o.duration.String()},
			value: func(r result) float64 { return r.CPUMicros },
		},
	}
	if o.duration == 0 {
		all = all[:1]
	}
	return all
}

// compare measures by both doors in turn and prints what came of it.
func compare(ctx context.Context, dir string, o options, m measure) (ratio float64, err error) {
	values := map[string][]float64{}
	doors := []string{native, socketIO}
	for range o.rounds {
		for _, door := range doors {
			r, err := once(ctx, dir, append([]string{"-door", door}, m.args...))
			if err != nil {
				return 0, fmt.Errorf("%s: %w", m.name, err)
			}
			values[door] = append(values[door], m.value(r))
		}
		slices.Reverse(doors) // whoever comes first has no advantage
	}
	ratio = median(values[socketIO]) / median(values[native])
	fmt.Printf("%s, %s\n", m.name, m.unit)
	for _, door := range []string{native, socketIO} {
		fmt.Printf("  %-9s median %8.1f   of", door, median(values[door]))
		for _, v := range values[door] {
			fmt.Printf(" %.1f", v)
		}
		fmt.Println()
	}
	fmt.Printf("  ratio     %.3f\n", ratio)
	return ratio, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// once measures on a server that was just started.
func once(ctx context.Context, dir string, args []string) (r result, err error) {
	server := command(ctx, filepath.Join(dir, "standalone"))
	server.Stderr = nil
	server.Env = append(os.Environ(), "GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_ADMIN_LISTEN=127.0.0.1:0", "LOG_FORMAT=json", "LOG_LEVEL=info")
	log, err := server.StderrPipe()
	if err != nil {
		return r, err
	}
	if err := server.Start(); err != nil {
		return r, err
	}
	addr := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		follow(bufio.NewScanner(log), addr)
	}()
	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		<-read
		_ = server.Wait() // what it cost has been measured
	}()
	select {
	case a := <-addr:
		args = append(args, "-json", "-quiet", "-pid", strconv.Itoa(server.Process.Pid), "http://"+a)
	case <-read:
		return r, errors.New("the server did not start")
	}
	out, err := output(command(ctx, filepath.Join(dir, "loadgen"), args...))
	if err != nil {
		return r, err
	}
	if err = json.Unmarshal(out, &r); err == nil && r.Operations == 0 {
		err = errors.New("nothing was measured")
	}
	return r, err
}

// follow reads the server's log to its end, and finds the address of the doors in it.
func follow(lines *bufio.Scanner, addr chan<- string) {
	for lines.Scan() {
		var entry struct{ Msg, For, Addr string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "listening" && entry.For == "clients" {
			addr <- entry.Addr
		}
	}
}

func output(c *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...) //nolint:gosec // G204: all are ours
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 30 * time.Second
	c.Stderr = os.Stderr
	return c
}
