package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"signalling/pkg/metrics"
)

// collector tells what a hub holds at the moment of a scrape. It looks at each partition and client once.
type collector struct {
	h *Hub

	rooms, requests, announcements, held, unacked, inbox *prometheus.Desc
	queueFrames, queueBytes, fullest                     *prometheus.Desc
	detached, kept                                       *prometheus.Desc
}

// Register adds what the hub holds to the registry.
func (h *Hub) Register(reg prometheus.Registerer) error {
	gauge := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(metrics.Namespace, subsystem, name), help, nil, nil)
	}
	return reg.Register(&collector{
		h:             h,
		rooms:         gauge("rooms", "Rooms that this gateway follows, because it has members in them or commands for them."),
		requests:      gauge("pending_requests", "Commands that are with the rooms service."),
		announcements: gauge("pending_announcements", "Announcements that are not answered yet."),
		held:          gauge("held_signals", "Signals that wait for news of the room that they depend on."),
		unacked:       gauge("unacknowledged_signals", "Signals to other gateways that may have to be sent again."),
		inbox:         gauge("inbox_messages", "Messages from NATS that wait; what does not fit (65536) is dropped and repaired."),
		queueFrames:   gauge("queue_frames", "Messages that wait to be sent to clients, of all clients together."),
		queueBytes:    gauge("queue_bytes", "Bytes that wait to be sent to clients, of all clients together."),
		fullest:       gauge("queue_fullest_frames", "Messages that wait to be sent to the client that has most of them."),
		detached:      gauge("detached_sessions", "Sessions of clients that have lost their connections and may come back."),
		kept:          gauge("kept_bytes", "Bytes that are kept for clients that may come back, of all clients together."),
	})
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.h.Stats()
	frames, bytes, fullest := c.h.queues()
	for desc, v := range map[*prometheus.Desc]int{
		c.rooms: s.Rooms, c.requests: s.Requests, c.announcements: s.Announcements, c.held: s.Held, c.unacked: s.Unacked,
		c.inbox: len(c.h.inbox), c.queueFrames: frames, c.queueBytes: bytes, c.fullest: fullest,
		c.detached: s.Detached, c.kept: int(s.KeptBytes),
	} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(v))
	}
}

// queues adds up what waits to be sent to the clients.
func (h *Hub) queues() (frames, bytes, fullest int) {
	h.mu.Lock()
	all := make([]*Session, 0, len(h.sessions))
	for s := range h.sessions {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		f, b := s.conn.Pending()
		frames, bytes, fullest = frames+f, bytes+b, max(fullest, f)
	}
	return frames, bytes, fullest
}
