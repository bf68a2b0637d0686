package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
	sdk "signalling/pkg/client"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
)

// Readiness follows NATS; liveness does not, so that an outage of the bus restarts no gateway.
func TestReadiness(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	g.expectStatus("/readyz", http.StatusOK)
	nats.Stop()
	g.expectStatus("/readyz", http.StatusServiceUnavailable)
	if s := g.status("/healthz"); s != http.StatusOK {
		t.Errorf("/healthz is %d", s)
	}
	g.connect() // who comes is let in, and may wait
	nats.Start()
	g.expectStatus("/readyz", http.StatusOK)
}

func TestAGatewayStartsWithoutNATS(t *testing.T) {
	nats := natstest.RunTCP(t)
	nats.Stop()
	g := run(t, nats.URL(), map[string]string{"GATEWAY_COMMAND_TIMEOUT": "3s"})
	g.expectStatus("/readyz", http.StatusServiceUnavailable)
	alice := g.connect()
	alice.create(lobby)
	alice.expect(unavailable())
	nats.Start()
	g.expectStatus("/readyz", http.StatusOK)
	o := ownerOn(t, nats, g)
	alice.create(lobby)
	o.result(o.expectCommand(bus.Create, lobby, alice), bus.Exists)
	alice.expect(exists(lobby))
}

// SIGTERM: readiness fails, the clients are told to go elsewhere, the bus that all members are gone, and Run returns.
func TestAGatewayStops(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	o := ownerOn(t, nats, g)
	alice, bob := g.connect(), g.sdk()
	o.open(lobby, alice)
	stubborn, resp, err := dialSilent(t, g.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	defer stubborn.Close() // it never reads, so it does not answer the close frame
	half, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close() // it never says anything
	g.eventually("three clients", func() bool { return g.Hub().Sessions() == 3 })
	o.heard()

	started := time.Now()
	g.cancel()
	g.expectStatus("/readyz", http.StatusServiceUnavailable)
	alice.expectEnd(api.CloseGoingAway)
	<-bob.Done()
	var closed *sdk.CloseError
	if !errors.As(bob.Err(), &closed) || closed.Code != sdk.CloseGoingAway || !closed.Reconnect() {
		t.Errorf("bob ended with %v", bob.Err())
	}
	o.expectCommand(bus.Leave, lobby, alice)
	g.stop()
	within(t, "the end", time.Since(started), 0, 12*time.Second)
	for {
		var h bus.Heartbeat
		if err := h.Decode(receive(t, o.heartbeats, "last heartbeat").Data); err != nil {
			t.Fatal(err)
		}
		if h.Leaving {
			break
		}
	}
	if _, err := net.Dial("tcp", g.Addr().String()); err == nil {
		t.Error("the door still listens")
	}
}

// A gateway without NATS stops as well: nobody waits for answers that cannot come.
func TestAGatewayStopsWithoutNATS(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	o := ownerOn(t, nats, g)
	alice := g.connect()
	o.open(lobby, alice)
	nats.Stop()
	g.expectStatus("/readyz", http.StatusServiceUnavailable)
	for n := range 100 { // more than may be pending: alice is paced
		alice.join("room-" + number(n))
	}
	g.eventually("commands on their way", func() bool { return g.Hub().Stats().Requests == 64 })
	started := time.Now()
	g.stop()
	within(t, "the end", time.Since(started), 0, 9*time.Second) // less than GATEWAY_DRAIN_TIMEOUT
	alice.expectEnd(api.CloseGoingAway)
	if s := g.Hub().Stats(); s.Requests != 0 {
		t.Errorf("the hub holds %+v", s)
	}
}

// Two gateways, and a NATS server that goes away and comes back: every signal arrives once and in order.
func TestSignalsSurviveAnOutageOfNATS(t *testing.T) {
	nats := natstest.RunTCP(t)
	here, there := run(t, nats.URL(), nil), run(t, nats.URL(), nil)
	alice, bob := here.connect(), there.connect()
	o := ownerOn(t, nats, here)
	r := o.open(lobby, alice)
	o.gateway = there.Hub().ID()
	bob.join(lobby)
	c := o.expectCommand(bus.Join, lobby, bob)
	r.publish(r.add(bob, c.Gateway, c.Seq))
	r.answer(c)
	bob.expect(joined(lobby, alice, alice))
	alice.expect(clientJoined(lobby, bob))

	sent := 0
	send := func(n int) {
		for range n {
			alice.signal(lobby, bob, number(sent))
			bob.signal(lobby, alice, number(sent))
			sent++
		}
	}
	send(100)
	for range 3 {
		nats.DropClients() // the path breaks
		send(200)
		nats.WaitForClients(3)
	}
	nats.Stop() // the server is away
	send(300)
	nats.Start()
	send(100)
	for n := range sent {
		bob.expect(received(lobby, alice, number(n)))
		alice.expect(received(lobby, bob, number(n)))
	}
	for _, g := range []*running{here, there} {
		g.eventually("acknowledgements", func() bool { s := g.Hub().Stats(); return s.Unacked+s.Owed+s.Held == 0 })
	}
	alice.expectNothing()
	bob.expectNothing()
}

// Commands wait for NATS as long as they may, and are applied once.
func TestACommandSurvivesAnOutageOfNATS(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	o := ownerOn(t, nats, g)
	alice := g.connect()
	nats.Stop()
	g.expectStatus("/readyz", http.StatusServiceUnavailable)
	alice.create(lobby)
	g.eventually("a command on its way", func() bool { return g.Hub().Stats().Requests == 1 })
	nats.Start()
	c := o.expectCommand(bus.Create, lobby, alice)
	r := o.found(lobby, alice, c.Gateway)
	r.answer(c)
	alice.expect(created(lobby))
	g.eventually("answers to all", func() bool { return g.Hub().Stats().Requests == 0 })
	for range bus.Partitions {
		a := o.takeAnnounce()
		if a.room(lobby) != nil {
			o.correct(a, r.same())
		} else {
			o.correct(a)
		}
	}
}

// What a client sends in one go is answered in one go, however much it is; that it was much is not held against it.
func TestABurst(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	alice := g.connect()
	const frames = 20_000
	var wire []byte
	for range frames {
		wire = append(wire, 0x81, 0x80|2, 0, 0, 0, 0, '{', '}') // masked with zeros (RFC 6455 section 5.3)
	}
	if _, err := alice.ws.NetConn().Write(wire); err != nil {
		t.Fatal(err)
	}
	for range frames {
		alice.expect(&api.Error{Message: "event is missing", Code: api.BadRequest})
	}
	alice.leave(lobby)
	alice.expect(notIn(lobby))
}

func TestOriginsOfTheNativeDoor(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), map[string]string{"GATEWAY_ORIGINS": "https://*.example.org"})
	for origin, want := range map[string]int{
		"":                        http.StatusSwitchingProtocols,
		"https://app.example.org": http.StatusSwitchingProtocols,
		"http://127.0.0.1:1":      http.StatusSwitchingProtocols, // the gateway's own host
		"https://example.net":     http.StatusForbidden,
		"null":                    http.StatusForbidden,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		c, err := sdk.Dial(ctx, g.url(), &sdk.Options{Header: header})
		cancel()
		got := http.StatusSwitchingProtocols
		if refused, ok := errors.AsType[*sdk.HandshakeError](err); ok {
			got = refused.Status
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("origin %q: status %d, want %d", origin, got, want)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}

// The Go client through a whole session.
func TestTheGoClient(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	o := ownerOn(t, nats, g)
	alice, bob := g.sdk(), g.sdk()
	ctx := t.Context()
	r := o.found(lobby, stranger(alice.ID()), g.Hub().ID())
	meanwhile(t, func() { r.answer(o.expectCommand(bus.Create, lobby, stranger(alice.ID()))) }, func() error { return alice.Create(ctx, lobby) })
	meanwhile(t, func() {
		c := o.expectCommand(bus.Join, lobby, stranger(bob.ID()))
		r.publish(r.add(stranger(bob.ID()), c.Gateway, c.Seq))
		r.answer(c)
	}, func() error {
		j, err := bob.Join(ctx, lobby)
		if err == nil && (j.OwnerID != alice.ID() || len(j.Clients) != 1) {
			t.Errorf("joined %+v", j)
		}
		return err
	})
	if err := bob.Signal(ctx, lobby, alice.ID(), json.RawMessage(`{"a" : 1}`)); err != nil {
		t.Fatal(err)
	}
	for m := range alice.Events() {
		if e, ok := m.Event.(*sdk.SignalReceive); ok {
			if !bytes.Equal(e.Data, []byte(`{"a" : 1}`)) || e.SenderID != bob.ID() {
				t.Errorf("received %+v", e)
			}
			break
		}
	}
	meanwhile(t, func() {
		c := o.expectCommand(bus.Leave, lobby, stranger(bob.ID()))
		r.publish(r.remove(stranger(bob.ID())))
		r.left(c)
	}, func() error { return bob.Leave(ctx, lobby) })
}

// meanwhile plays the owner while a command waits for its answer.
func meanwhile(t *testing.T, script func(), command func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- command() }()
	script()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	nats := natstest.RunTCP(t)
	for name, value := range map[string]string{
		"GATEWAY_ORIGINS":      "example.org",
		"GATEWAY_MAX_MESSAGE":  "2MiB",
		"GATEWAY_QUEUE_SIZE":   "300KiB",
		"GATEWAY_QUEUE_FRAMES": "0",
		"GATEWAY_PING_TIMEOUT": "5s", // not more than a command may wait
	} {
		if _, err := fromSettings(t, nats.URL(), map[string]string{name: value}); !errors.Is(err, conf.ErrInvalid) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

// A gateway that cannot start leaves nothing behind.
func TestAnAddressInUse(t *testing.T) {
	nats := natstest.RunTCP(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"GATEWAY_LISTEN", "GATEWAY_ADMIN_LISTEN"} {
		if _, err := fromSettings(t, nats.URL(), map[string]string{name: l.Addr().String()}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	nats.WaitForClients(0)
}
