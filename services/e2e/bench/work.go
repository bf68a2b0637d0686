package bench

import (
	"slices"
	"strings"
)

// Target is a kind of server.
type Target string

// The targets.
const (
	One   Target = "one"   // the one-process build
	Split Target = "split" // two gateways, rooms and nats-server
	Node  Target = "node"  // the peer under pkg/client/loadgen/node

	Guided Target = "guided" // the one-process build, optimised by a profile; not in the tables of all
)

// Targets are those that are compared, in the order in which they are shown.
var Targets = []Target{Node, One, Split}

// Work is something that is measured. Metrics are taken from the load generator's result.
type Work struct {
	// ID names it on the command line and in the file of figures.
	ID string
	// Args are the load generator's.
	Args string
	// Fresh: each round needs servers that were just started; otherwise they are kept and warmed up.
	Fresh bool
	// Large: too large for the short set.
	Large bool
	// Rounds is how many rounds are measured if that is less than elsewhere.
	Rounds int
	// Gateways is how many Split has; two if it is 0.
	Gateways int
	// Targets are those that the work is for; all that have its door if there are none.
	Targets []Target
	// Metrics are what it tells.
	Metrics []Metric
	// Why says what was done about the dearest functions, or why they are the floor.
	Why string
}

// Metric is a figure of a work.
type Metric struct {
	// ID is the metric's key in the file of figures.
	ID string
	// Name and Unit are for people.
	Name, Unit string
	// Value takes it from a result.
	Value func(Result) float64
	// Bars are the highest values that are good, by target.
	Bars map[Target]Bar
}

// Bar is a bound: of the ratio to Node, or of the value itself.
type Bar struct {
	Max      float64
	Absolute bool
}

// Result is what is read of the load generator's.
type Result struct {
	Operations                                     int64
	Seconds, CPUMicros, CPUPercent, BytesPerClient float64
	Latency                                        *struct{ P50, P99, Max int64 }
}

func ratios(one, split float64) map[Target]Bar {
	return map[Target]Bar{One: {Max: one}, Split: {Max: split}}
}

func cpu(r Result) float64 { return r.CPUMicros }

func cpuMetric(name string, bars map[Target]Bar) []Metric {
	return []Metric{{ID: "cpu", Name: name, Unit: "µs", Value: cpu, Bars: bars}}
}

const kib = 1024

func idle(id, clients, door string, bars map[Target]Bar, rounds int) Work {
	label := clients + " clients, " + map[string]string{"socketio": "Socket.IO", "native": "native"}[door]
	return Work{
		ID: id, Fresh: true, Large: true, Rounds: rounds,
		Args: "-scenario idle -room 4 -settle 6s -duration 12s -clients " + clients + " -door " + door,
		Metrics: []Metric{
			{
				ID: "memory", Name: "idle memory per connection, " + label, Unit: "KiB",
				Value: func(r Result) float64 { return r.BytesPerClient / kib },
				Bars:  map[Target]Bar{One: {Max: 10, Absolute: true}, Split: {Max: 10, Absolute: true}},
			},
			{
				ID: "cpu", Name: "idle CPU, " + label + ", a heartbeat every 4 s", Unit: "% of a core", Bars: bars,
				Value: func(r Result) float64 { return r.CPUPercent },
			},
		},
	}
}

// heartbeatSeconds is the time between heartbeats of servers with idle clients, so that each has had one when it is measured.
const heartbeatSeconds = 4

// Works are all that is measured, in the order of the tables.
var Works = []Work{
	{
		ID: "commands", Args: "-scenario rooms -clients 200",
		Why:     "answers and events of one command leave together, and what a loop reads goes out in one write; the rest is NATS, two messages each way, and its parsing",
		Metrics: cpuMetric("CPU per room command, saturated", ratios(1, 2.4)),
	},
	{
		ID: "signals", Args: "-scenario relay -clients 100 -bytes 300",
		Why:     "the floor: one read and one write for what is at hand; the data is scanned once, not decoded, and spliced",
		Metrics: cpuMetric("CPU per 300 B signal, saturated", ratios(0.6, 1)),
	},
	{
		ID: "signals-4k", Args: "-scenario relay -clients 100 -bytes 4096",
		Why:     "the same as signals: what is longer is copied, scanned and unmasked for longer",
		Metrics: cpuMetric("CPU per 4 KB signal, saturated", ratios(0.5, 0.75)),
	},
	{
		ID: "rate", Args: "-scenario relay -clients 100 -bytes 300 -rate 2000",
		Why: "each signal wakes a process that has gone to sleep since the last: system calls, and the runtime finding what there is to do",
		Metrics: []Metric{
			{ID: "cpu", Name: "CPU per signal at 2,000/s", Unit: "µs", Value: cpu, Bars: ratios(1, 3)},
			{ID: "p50", Name: "signal p50 at 2,000/s", Unit: "ms", Value: func(r Result) float64 {
				if r.Latency == nil {
					return 0
				}
				return float64(r.Latency.P50) / 1000
			}},
		},
	},
	{
		ID: "mesh", Args: "-scenario mesh -clients 64 -room 8",
		Why:     "the same as signals: descriptions are longer, so the scan weighs more",
		Metrics: cpuMetric("CPU per signal, calls in a mesh of 8", ratios(0.55, 1.1)),
	},
	{
		ID: "fanout-100", Args: "-scenario fanout -room 100",
		Why:     "the floor: a write to each member is a system call, and the frame is made once for all",
		Metrics: cpuMetric("CPU per delivery, room of 100", ratios(0.9, 1.3)),
	},
	{
		ID: "fanout-1000", Args: "-scenario fanout -room 1000",
		Why:     "the same as in a room of 100, of which the command and the event are a smaller part yet",
		Metrics: cpuMetric("CPU per delivery, room of 1,000", ratios(0.7, 0.9)),
	},
	{
		ID: "connects", Args: "-scenario connect -clients 500",
		Why: "accept, read, write, epoll_ctl and close are the system calls; handshakes are answered in front of net/http's server, without a goroutine, buffers and a context for each; the rest is the line in the log, reading the request, and the memory that each connection begins with",
		// A connect in µs is a thousand of them in ms.
		Metrics: []Metric{{ID: "cpu", Name: "CPU per 1,000 connects", Unit: "ms", Value: cpu, Bars: ratios(0.33, 0.33)}},
	},
	{
		ID: "storm", Args: "-scenario storm -clients 5000 -room 4", Large: true,
		Metrics: []Metric{
			{
				ID: "seconds", Name: "5,000 clients reconnect and rejoin", Unit: "s", Bars: ratios(0.35, 0.4),
				Value: func(r Result) float64 { return r.Seconds },
			},
			{ID: "cpu", Name: "CPU of that, per client", Unit: "µs", Value: cpu},
		},
	},
	idle("idle", "5000", socketIO, ratios(0.33, 0.33), 3),
	idle("idle-native", "5000", native, nil, 3),
	idle("idle-15000", "15000", socketIO, ratios(0.33, 0.33), 1),
	idle("idle-15000-native", "15000", native, nil, 1),
}

// The doors, as the load generator calls them.
const (
	native   = "native"
	socketIO = "socketio"
)

// Door is the door that the work uses: the Socket.IO one, which Node has too, if it does not say.
func (w *Work) Door() string {
	if strings.Contains(w.Args, "-door "+native) {
		return native
	}
	return socketIO
}

// On says whether the work is for a target: Node has no native door.
func (w *Work) On(t Target) bool {
	return (t != Node || w.Door() == socketIO) && (w.Targets == nil || slices.Contains(w.Targets, t))
}

// Find returns the works of these ids, all if there are none; ok is false if one is unknown.
func Find(ids []string) (works []Work, ok bool) {
	return find(Works, ids, func(w *Work) string { return w.ID })
}

// find returns those of all that have these ids, in their order.
func find[T any](all []T, ids []string, idOf func(*T) string) (found []T, ok bool) {
	if len(ids) == 0 {
		return all, true
	}
	for _, id := range ids {
		i := slices.IndexFunc(all, func(x T) bool { return idOf(&x) == id })
		if i < 0 {
			return nil, false
		}
		found = append(found, all[i])
	}
	return found, true
}
