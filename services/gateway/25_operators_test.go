package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/api/operate"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
)

// operator asks as signalctl does.
type operator struct {
	t  *testing.T
	nc *nats.Conn
}

func operatorOn(t *testing.T, nats *natstest.TCPServer) *operator {
	t.Helper()
	return &operator{t, natstest.ConnectWith(t, natsbus.Config{URL: nats.URL()}, natsbus.Options{InboxPrefix: bus.OperatorInbox("test")})}
}

// ask returns the error that came in place of an answer.
func (o *operator) ask(subject string, q operate.Question, answer any) *operate.Error {
	o.t.Helper()
	data, err := q.Encode()
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	m, err := o.nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		o.t.Fatalf("%s: %v", subject, err)
	}
	_, err = operate.DecodeAnswer(m.Data, answer)
	fault, ok := errors.AsType[*operate.Error](err)
	if err != nil && !ok {
		o.t.Fatal(err)
	}
	return fault
}

func TestOperatorsSeeAGateway(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	o := ownerOn(t, nats, g)
	alice := g.connect()
	o.open(lobby, alice)
	op := operatorOn(t, nats)
	var status operate.Gateway
	for _, id := range []string{bus.Everyone, g.Hub().ID()} {
		if fault := op.ask(bus.AdminGateway(bus.Ask, id), operate.Question{Op: operate.Status}, &status); fault != nil {
			t.Fatal(fault)
		}
	}
	if status.ID != g.Hub().ID() || status.Clients != 1 || status.Rooms != 1 || status.Listen != g.Addr().String() || status.Draining ||
		status.Protocol != bus.ProtocolVersion || status.NATS == "" {
		t.Errorf("%+v", status)
	}
	var where operate.Presence
	if fault := op.ask(bus.AdminGateway(bus.Ask, bus.Everyone), operate.Question{Op: operate.Client, Client: alice.name()}, &where); fault != nil {
		t.Fatal(fault)
	}
	if s := where.Session; s == nil || s.Client != alice.name() || len(s.Rooms) != 1 || s.Rooms[0] != lobby || !s.Connected || s.Sent == 0 ||
		time.Since(s.Since).Abs() > time.Minute {
		t.Errorf("%+v", where.Session)
	}
	ask, do := bus.AdminGateway(bus.Ask, g.Hub().ID()), bus.AdminGateway(bus.Do, g.Hub().ID())
	for _, c := range []struct {
		subject string
		q       operate.Question
		want    operate.Code
	}{
		{ask, operate.Question{Op: operate.Client, Client: "nobody"}, operate.NotFound},
		{ask, operate.Question{Op: operate.Rooms}, operate.UnknownOp},
		{ask, operate.Question{Op: operate.Drain}, operate.Forbidden},
		{do, operate.Question{Op: operate.Close, Room: lobby}, operate.UnknownOp},
		{do, operate.Question{Op: operate.ProbeEcho, Room: lobby}, operate.BadRequest},
		{do, operate.Question{Op: operate.ProbeRun, Room: "none", Client: "x"}, operate.NotFound},
	} {
		var ignored json.RawMessage
		if fault := op.ask(c.subject, c.q, &ignored); fault == nil || fault.Code != c.want {
			t.Errorf("%s %+v: %v, want %s", c.subject, c.q, fault, c.want)
		}
	}
	// What the page shows is the same.
	resp, err := pages.Get("http://" + g.AdminAddr().String() + "/live.json?room=" + lobby)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page operate.Live
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	if page.Gateway == nil || page.Gateway.ID != status.ID || page.Instance != nil || page.Rooms == nil || len(page.Rooms.Rooms) != 1 ||
		page.Rooms.Rooms[0].Here != 1 || page.Room == nil || page.Room.Owner != alice.name() || len(page.Room.List) != 1 {
		t.Errorf("%+v", page)
	}
}

// Nobody who may ask has the gateway write where the gateway may and the sender may not.
func TestAGatewayAnswersOperatorsInTheirInboxOnly(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	g.expectStatus("/readyz", http.StatusOK)
	op := operatorOn(t, nats)
	heard, err := op.nc.SubscribeSync("sig.gw.*.sig")
	if err != nil {
		t.Fatal(err)
	}
	q := operate.Question{Op: operate.Status}
	data, err := q.Encode()
	if err != nil {
		t.Fatal(err)
	}
	subject := bus.AdminGateway(bus.Ask, g.Hub().ID())
	if err := op.nc.PublishRequest(subject, bus.SignalSubject("victim"), data); err != nil {
		t.Fatal(err)
	}
	var status operate.Gateway
	if fault := op.ask(subject, q, &status); fault != nil { // behind it
		t.Fatal(fault)
	}
	if m, err := heard.NextMsg(50 * time.Millisecond); err == nil {
		t.Errorf("%s: %s", m.Subject, m.Data)
	}
}

func TestAnOperatorDrainsAGateway(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := run(t, nats.URL(), nil)
	ownerOn(t, nats, g)
	alice := g.connect()
	g.eventually("a client", func() bool { return g.Hub().Sessions() == 1 })
	op := operatorOn(t, nats)
	var done operate.Done
	if fault := op.ask(bus.AdminGateway(bus.Do, g.Hub().ID()), operate.Question{Op: operate.Drain}, &done); fault != nil || done.Clients != 1 {
		t.Fatal(done, fault)
	}
	alice.expectEnd(api.CloseGoingAway)
	select {
	case err := <-g.ended:
		if err != nil {
			t.Error(err)
		}
		g.ended <- nil // for the end of the test
	case <-time.After(patience):
		t.Error("the gateway does not end")
	}
}

// outcome is what came of a part of a test.
type outcome struct {
	probe operate.Probe
	err   error
}

// begin starts a part of a test.
func begin(f func(context.Context) (operate.Probe, error)) chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p, err := f(ctx)
		ended <- outcome{p, err}
	}()
	return ended
}

// openTest takes the first part of a test through, and returns its room as the owner sees it.
func openTest(w *world) *room {
	w.t.Helper()
	ended := begin(w.hub.OpenProbe)
	c := w.owner.takeCommand()
	if c.Op != bus.Create {
		w.t.Fatalf("got command %+v, want a create", c.Command)
	}
	r := w.owner.room(c.Room)
	r.Owner = c.Client
	r.Members = []bus.Member{{Client: c.Client, Gateway: c.Gateway, Since: r.Version, Seq: c.Seq}}
	pass(5 * time.Millisecond)
	r.answer(c)
	if got := <-ended; got.err != nil || got.probe.Room != c.Room || got.probe.Client != c.Client || got.probe.Entered != 5000 {
		w.t.Fatalf("%+v", got)
	}
	return r
}

// Both clients of a test at one gateway: they meet, signals go there and back, and nothing is left.
func TestATestSignal(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r := openTest(w)
		ended := begin(func(ctx context.Context) (operate.Probe, error) { return w.hub.EchoProbe(ctx, r.name) })
		join := w.owner.takeCommand()
		r.publish(r.add(stranger(join.Client), join.Gateway, join.Seq))
		r.answer(join)
		echo := <-ended
		if echo.err != nil || echo.probe.Client != join.Client {
			t.Fatalf("%+v", echo)
		}
		ended = begin(func(ctx context.Context) (operate.Probe, error) { return w.hub.RunProbe(ctx, r.name, join.Client, 3) })
		leave := w.owner.expectCommand(bus.Leave, r.name, stranger(r.Owner))
		r.publish(r.end())
		r.left(leave)
		run := <-ended
		if run.err != nil || len(run.probe.Signals) != 3 {
			t.Fatalf("%+v", run)
		}
		settle()
		w.holdsNothing()
		if n := w.hub.Sessions(); n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}

// A test that nobody goes on with ends by itself.
func TestATestThatNobodyGoesOnWith(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r := openTest(w)
		pass(11 * time.Second)
		leave := w.owner.expectCommand(bus.Leave, r.name, stranger(r.Owner))
		r.left(leave)
		w.holdsNothing()
		if n := w.hub.Sessions(); n != 0 {
			t.Errorf("%d clients are left", n)
		}
		if _, err := w.hub.RunProbe(t.Context(), r.name, "x", 1); !isFault(err, operate.NotFound) {
			t.Errorf("going on too late: %v", err)
		}
	})
}

// Nor does it keep a gateway from ending, and no other begins there.
func TestATestThatNobodyGoesOnWithWhenTheGatewayEnds(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r := openTest(w)
		w.hub.Drain(t.Context(), api.CloseGoingAway, 0)
		r.left(w.owner.expectCommand(bus.Leave, r.name, stranger(r.Owner)))
		w.holdsNothing()
		if n := w.hub.Sessions(); n != 0 {
			t.Errorf("%d clients are left", n)
		}
		ended := begin(w.hub.OpenProbe)
		if got := <-ended; got.err == nil {
			t.Errorf("another test: %+v", got)
		}
		if _, err := w.hub.RunProbe(t.Context(), r.name, "x", 1); !isFault(err, operate.NotFound) {
			t.Errorf("going on too late: %v", err)
		}
	})
}

// What goes wrong on the way is said.
func TestATestThatFails(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		ended := begin(w.hub.OpenProbe)
		w.owner.answer(w.owner.takeCommand(), &bus.Answer{Result: bus.Refused, Code: "rate-limited", Message: "there are too many rooms"})
		if got := <-ended; !isFault(got.err, operate.Failed) || got.err.Error() != "room-create: there are too many rooms" {
			t.Errorf("%+v", got)
		}
		r := openTest(w)
		ended = begin(func(ctx context.Context) (operate.Probe, error) {
			return w.hub.EchoProbe(ctx, "signalctl test of none")
		})
		w.owner.result(w.owner.takeCommand(), bus.NotExists)
		if got := <-ended; !isFault(got.err, operate.Failed) {
			t.Errorf("%+v", got)
		}
		ended = begin(func(ctx context.Context) (operate.Probe, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return w.hub.RunProbe(ctx, r.name, "nobody", 1)
		})
		if got := <-ended; !isFault(got.err, operate.Failed) {
			t.Errorf("%+v", got)
		}
		r.left(w.owner.expectCommand(bus.Leave, r.name, stranger(r.Owner)))
		w.holdsNothing()
	})
}

// There are never many at once.
func TestTestsAreFew(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		for range 8 {
			openTest(w)
		}
		ended := begin(w.hub.OpenProbe)
		c := w.owner.takeCommand()
		r := w.owner.room(c.Room)
		r.Owner = c.Client
		r.Members = []bus.Member{{Client: c.Client, Gateway: c.Gateway, Since: r.Version, Seq: c.Seq}}
		r.answer(c)
		if got := <-ended; !isFault(got.err, operate.Busy) {
			t.Errorf("%+v", got)
		}
		w.owner.expectCommand(bus.Leave, c.Room, stranger(c.Client))
	})
}

func isFault(err error, code operate.Code) bool {
	fault, ok := errors.AsType[*operate.Error](err)
	return ok && fault.Code == code
}
