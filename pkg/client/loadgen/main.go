// Command loadgen puts load on a signalling server and says what it costs: latency at the clients, CPU time and memory of
// the server's processes. It knows both doors.
//
//	go run ./pkg/client/loadgen -scenario relay -rate 2000 -pid $(pgrep standalone) http://127.0.0.1:8080
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var l load
	names := slices.Sorted(maps.Keys(scenarios))
	f := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	scenario := f.String("scenario", "relay", "what to do, several with commas: "+strings.Join(names, ", "))
	door := f.String("door", "native", "native, socketio, or both with a comma")
	f.IntVar(&l.clients, "clients", 100, "clients")
	f.IntVar(&l.rate, "rate", 0, "signals a second (relay); 0 is as many as come back")
	f.IntVar(&l.room, "room", 4, "members of a room (idle, fanout, mesh, storm)")
	f.IntVar(&l.bytes, "bytes", 300, "bytes of a signal's data (relay)")
	f.DurationVar(&l.duration, "duration", 5*time.Second, "how long to measure")
	f.DurationVar(&l.settle, "settle", 2*time.Second, "how long to wait before measuring (idle)")
	pids := f.String("pid", "", "process ids of the server, with commas, for CPU and memory")
	asJSON := f.Bool("json", false, "print JSON")
	quiet := f.Bool("quiet", false, "no progress")
	if err := f.Parse(args); err != nil {
		return err
	}
	l.urls = f.Args()
	if len(l.urls) == 0 {
		l.urls = []string{"http://127.0.0.1:8080"}
	}
	for _, p := range strings.FieldsFunc(*pids, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		n, err := strconv.Atoi(p)
		if err != nil {
			return fmt.Errorf("-pid: %w", err)
		}
		l.pids = append(l.pids, n)
	}
	l.progress = func(format string, args ...any) {
		if !*quiet {
			fmt.Fprintf(os.Stderr, "  "+format+"\n", args...)
		}
	}
	var results []Result
	for name := range strings.SplitSeq(*scenario, ",") {
		for d := range strings.SplitSeq(*door, ",") {
			r, err := l.run(ctx, name, Door(d))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			results = append(results, r)
		}
	}
	if *asJSON {
		return writeJSON(os.Stdout, results)
	}
	return writeTable(os.Stdout, results)
}

func (l *load) run(ctx context.Context, name string, door Door) (Result, error) {
	s := scenarios[name]
	if s == nil {
		return Result{}, fmt.Errorf("no such scenario")
	}
	if door != Native && door != SocketIO {
		return Result{}, fmt.Errorf("no such door: %q", door)
	}
	if name == "mesh" && (l.room < 2 || l.room > 64) {
		return Result{}, fmt.Errorf("-room must be from 2 to 64")
	}
	l.door = door
	l.progress("%s, %s door, %d clients", name, door, l.clients)
	r, err := s(ctx, l)
	r.Scenario, r.Door, r.Clients = name, door, l.clients
	return r, err
}
