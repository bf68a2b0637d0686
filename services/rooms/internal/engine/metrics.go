package engine

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	"signalling/pkg/metrics"
	"signalling/services/rooms/internal/room"
)

const subsystem = "rooms"

// Metrics count what an engine does, beside what its Stats tell. Make them with NewMetrics.
type Metrics struct {
	commands     map[bus.Op]map[bus.Result]prometheus.Counter
	recovered    prometheus.Observer
	gained, lost prometheus.Counter
	challenges   prometheus.Counter
	freshStarts  prometheus.Counter
	limited      map[string]prometheus.Counter // by code
}

// NewMetrics registers an engine's metrics; Engine.Register adds those that Stats tell.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{commands: map[bus.Op]map[bus.Result]prometheus.Counter{}}
	commands := prometheus.NewCounterVec(counter("commands_total",
		"Answers to gateways' commands by result, repetitions included. invalid is what could not be read."), []string{"command", "result"})
	recovered := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "recovery_duration_seconds",
		Help:    "Time from the ownership of a partition until it was served.",
		Buckets: []float64{.01, .05, .1, .25, .5, 1, 2, 3, 5, 10},
	})
	ownerships := metrics.Counters(reg, counter("ownership_changes_total", "Partitions that this instance gained or lost."),
		"change", "gained", "lost")
	m.challenges = prometheus.NewCounter(counter("challenges_total", "Times that somebody had met a higher epoch than ours: another owner."))
	m.freshStarts = prometheus.NewCounter(counter("fresh_starts_total", "Times that messages may have been missed, so that everybody was asked again."))
	limited := metrics.Counters(reg, counter("limited_total", "Commands that met a limit: members of a room, rooms of a partition."),
		"limit", "members", "rooms")
	m.limited = map[string]prometheus.Counter{room.CodeRoomFull: limited[0], room.CodeRateLimited: limited[1]}
	reg.MustRegister(commands, recovered, m.challenges, m.freshStarts)
	m.recovered, m.gained, m.lost = recovered, ownerships[0], ownerships[1]
	m.commands[""] = map[bus.Result]prometheus.Counter{bus.Refused: commands.WithLabelValues("invalid", string(bus.Refused))}
	for op, own := range map[bus.Op][]bus.Result{
		bus.Create: {bus.Done, bus.Exists}, bus.Join: {bus.Done, bus.NotExists}, bus.Leave: {bus.Done, bus.NotIn},
	} {
		m.commands[op] = map[bus.Result]prometheus.Counter{}
		for _, result := range append(own, bus.Retry, bus.Refused) {
			m.commands[op][result] = commands.WithLabelValues(string(op), string(result))
		}
	}
	return m
}

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: metrics.Namespace, Subsystem: subsystem, Name: name, Help: help}
}

// answered counts an answer. An operation that the state machine does not know counts as none.
func (m *Metrics) answered(op bus.Op, a *bus.Answer) {
	if a.Result == bus.Refused && m.limited[a.Code] != nil {
		m.limited[a.Code].Inc()
	}
	c := m.commands[op][a.Result]
	if c == nil {
		c = m.commands[""][bus.Refused]
	}
	c.Inc()
}

// collector tells what Stats say at the moment of a scrape.
type collector struct {
	e *Engine

	partitions, gateways, rooms, members, inbox             *prometheus.Desc
	events, announcements, evictions, malformed, unsent, up *prometheus.Desc
}

// scrapeTimeout bounds how long a scrape waits for the engine.
const scrapeTimeout = 2 * time.Second

// Register adds what the engine's Stats tell to the registry. While the engine does not run, or does not answer, only
// signalling_rooms_up is there.
func (e *Engine) Register(reg prometheus.Registerer) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(metrics.Namespace, subsystem, name), help, labels, nil)
	}
	return reg.Register(&collector{
		e:             e,
		up:            desc("up", "Whether the engine answers: 1, or 0 and most other metrics are missing."),
		partitions:    desc("partitions", "Partitions that this instance owns, by state; fenced while the ownership is in doubt.", "state"),
		gateways:      desc("gateways", "Gateways that live."),
		rooms:         desc("rooms", "Rooms that exist in the partitions of this instance."),
		members:       desc("members", "Members of those rooms; a client in two rooms counts twice."),
		inbox:         desc("inbox_messages", "Messages from NATS that wait; what does not fit (32768) is dropped, and gateways repeat it."),
		events:        desc("events_total", "Events that were published."),
		announcements: desc("announcements_total", "Announcements of gateways that were compared with the rooms."),
		evictions:     desc("evictions_total", "Gateways that were given up, and their members removed."),
		malformed:     desc("malformed_messages_total", "Messages that could not be read: a defect, or somebody else on the bus."),
		unsent:        desc("unsent_messages_total", "Messages that could not be sent: there was no connection to NATS, or, which is logged, it takes none so large."),
	})
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.up, c.partitions, c.gateways, c.rooms, c.members, c.inbox, c.events, c.announcements, c.evictions, c.malformed, c.unsent,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := c.e.Stats(ctx)
	if err != nil {
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 1)
	states := map[string]int{"active": 0, "recovering": 0, "fenced": 0}
	for i := range s.Partitions {
		states[s.Partitions[i].State]++
	}
	for state, n := range states {
		ch <- prometheus.MustNewConstMetric(c.partitions, prometheus.GaugeValue, float64(n), state)
	}
	for desc, n := range map[*prometheus.Desc]int{
		c.gateways: s.Gateways, c.rooms: s.Rooms, c.members: s.Members, c.inbox: len(c.e.inbox),
	} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n))
	}
	for desc, n := range map[*prometheus.Desc]uint64{
		c.events: s.Events, c.announcements: s.Announces, c.evictions: s.Evictions, c.malformed: s.Malformed, c.unsent: s.Unsent,
	} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n))
	}
}
