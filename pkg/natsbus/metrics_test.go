package natsbus_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/pkg/metrics/metricstest"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
)

func TestMetricsOfTheLifeOfAConnection(t *testing.T) {
	reg := prometheus.NewRegistry()
	srv := natstest.RunTCP(t)
	made, back, lost := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	nc := connect(t, natsbus.Config{URL: srv.URL()}, natsbus.Options{
		Metrics:      natsbus.NewMetrics(reg, "test"),
		OnConnect:    func() { made <- struct{}{} },
		OnDisconnect: func() { lost <- struct{}{} },
		OnReconnect:  func() { back <- struct{}{} },
	})
	want := func(name string, value float64) {
		t.Helper()
		if got := metricstest.Value(t, reg, "signalling_nats_"+name, "client", "test"); got != value {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
	await(t, made, "OnConnect")
	echo(t, nc, "echo")
	request(t, nc, "echo", "12345")
	want("connected", 1)
	want("connects_total", 1)
	want("disconnects_total", 0)
	want("messages_total", 4) // the request and the answer, both out and in
	want("bytes_total", 4*5)

	srv.Stop()
	await(t, lost, "OnDisconnect")
	want("connected", 0)
	want("disconnects_total", 1)
	srv.Start()
	await(t, back, "OnReconnect")
	want("connected", 1)
	want("connects_total", 2)
	metricstest.Lint(t, reg)
}

func TestMetricsOfSlowConsumers(t *testing.T) {
	reg := prometheus.NewRegistry()
	slow := make(chan struct{}, 1)
	nc := natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{
		InProcess: natstest.Run(t).Provider(), Metrics: natsbus.NewMetrics(reg, "test"),
		OnSlowConsumer: func() { slow <- struct{}{} },
	})
	if _, err := nc.ChanSubscribe("s", make(chan *nats.Msg, 1)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := nc.Publish("s", nil); err != nil {
			t.Fatal(err)
		}
	}
	await(t, slow, "OnSlowConsumer")
	if got := metricstest.Value(t, reg, "signalling_nats_slow_consumers_total"); got != 1 {
		t.Errorf("%v slow consumers", got)
	}
}
