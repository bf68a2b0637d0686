package natsbus

import (
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what happens to a connection. Make them with [NewMetrics] and give them to [Connect] in Options, once.
type Metrics struct {
	nc atomic.Pointer[nats.Conn]

	connects, disconnects, failures, slow, errors prometheus.Counter
	connected, messages, bytes                    *prometheus.Desc
}

// NewMetrics registers the metrics of one connection. client tells the connections of one process apart: it is the value
// of a label.
func NewMetrics(reg prometheus.Registerer, client string) *Metrics {
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"client": client}, reg)
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "signalling", Subsystem: "nats", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("signalling", "nats", name), help, labels, nil)
	}
	m := &Metrics{
		connects:    counter("connects_total", "Connections to a NATS server that were made, the first included."),
		disconnects: counter("disconnects_total", "Connections to a NATS server that were lost."),
		failures:    counter("connect_failures_total", "Attempts to connect to a NATS server that failed, after the first."),
		slow:        counter("slow_consumers_total", "Times that messages were dropped because this process took them too slowly."),
		errors:      counter("errors_total", "Errors that a NATS server reported, refused permissions among them."),
		connected:   desc("connected", "Whether there is a connection to a NATS server now: 1 or 0."),
		messages:    desc("messages_total", "Messages that were exchanged with NATS.", "direction"),
		bytes:       desc("bytes_total", "Bytes of the messages that were exchanged with NATS.", "direction"),
	}
	reg.MustRegister(m)
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.connected
	ch <- m.messages
	ch <- m.bytes
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	var s nats.Statistics
	up := 0.0
	if nc := m.nc.Load(); nc != nil {
		s = nc.Stats()
		if Ready(nc) == nil {
			up = 1
		}
	}
	ch <- prometheus.MustNewConstMetric(m.connected, prometheus.GaugeValue, up)
	for _, v := range []struct {
		desc  *prometheus.Desc
		value uint64
		way   string
	}{{m.messages, s.InMsgs, "in"}, {m.messages, s.OutMsgs, "out"}, {m.bytes, s.InBytes, "in"}, {m.bytes, s.OutBytes, "out"}} {
		ch <- prometheus.MustNewConstMetric(v.desc, prometheus.CounterValue, float64(v.value), v.way)
	}
}
