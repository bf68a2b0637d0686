package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/metrics"
	"signalling/pkg/metrics/metricstest"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
	"signalling/pkg/settings"
	"signalling/pkg/settings/settingstest"
	"signalling/services/rooms"
	"signalling/services/rooms/internal/room"
)

func TestMessagesThatMakeNoSense(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		a := newGateway(t, srv)
		elsewhere := bus.CommandSubject((bus.Partition(lobby) + 1) % bus.Partitions)
		here := bus.CommandSubject(bus.Partition(lobby))
		for i, c := range []struct{ subject, text string }{
			{here, ``},
			{here, `{"op":"join"`},
			{here, `{"op":"join","gw":"g"}`},
			{here, `{"op":"dance","gw":"g","seq":1,"room":"lobby","client":"c"}`},
			{here, `{"op":"join","gw":"g.>","seq":1,"room":"lobby","client":"c"}`},
			{elsewhere, `{"op":"join","gw":"g","seq":1,"room":"lobby","client":"c"}`},
		} {
			seq := uint64(1000 + i)
			if err := a.nc.PublishRequest(c.subject, bus.AnswerSubject(a.id, seq), []byte(c.text)); err != nil {
				t.Fatal(err)
			}
			var ans bus.Answer
			a.await("an answer to "+c.text, func() bool { return a.answers[seq] != nil })
			if err := ans.Decode(a.answers[seq]); err != nil || ans.Result != bus.Refused || ans.Code != string(client.BadRequest) || ans.Message == "" {
				t.Errorf("%s is answered %s", c.text, a.answers[seq])
			}
		}
		for _, subject := range []string{bus.HeartbeatSubject, bus.AnnounceSubject(3), bus.CommandSubject(3)} {
			if err := a.nc.Publish(subject, []byte("{")); err != nil {
				t.Fatal(err)
			}
		}
		a.must(bus.Done, bus.Create, lobby, "owner") // it still works
		if s.Ready(t.Context()) != nil {
			t.Error("not ready")
		}
	})
}

func TestCodesAreThoseOfTheContract(t *testing.T) {
	if room.CodeRoomFull != string(client.RoomFull) || room.CodeRateLimited != string(client.RateLimited) || room.CodeBadRequest != string(client.BadRequest) ||
		room.CodeUnavailable != string(client.Unavailable) {
		t.Error("the codes differ from those that clients know")
	}
}

func TestAFullRoom(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		reg := metrics.NewRegistry()
		s := start(t, rooms.Config{MaxMembers: 2}, rooms.Options{InProcess: srv.Provider(), Fresh: true, Metrics: reg})
		s.ready(t)
		a := newGateway(t, srv)
		a.must(bus.Done, bus.Create, lobby, "owner")
		a.must(bus.Done, bus.Join, lobby, "guest")
		if ans := a.must(bus.Refused, bus.Join, lobby, "third"); ans.Code != string(client.RoomFull) {
			t.Errorf("answer %+v", ans)
		}
		if n := metricstest.Value(t, reg, "signalling_rooms_limited_total", "limit", "members"); n != 1 {
			t.Errorf("%v were counted", n)
		}
	})
}

func TestAFullPartition(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		reg := metrics.NewRegistry()
		s := start(t, rooms.Config{MaxRooms: 1}, rooms.Options{InProcess: srv.Provider(), Fresh: true, Metrics: reg})
		s.ready(t)
		a := newGateway(t, srv)
		a.must(bus.Done, bus.Create, lobby, "owner")
		other := lobby
		for n := 0; other == lobby || bus.Partition(other) != bus.Partition(lobby); n++ {
			other = fmt.Sprint("room ", n)
		}
		if ans := a.must(bus.Refused, bus.Create, other, "another"); ans.Code != string(client.RateLimited) || ans.Message == "" {
			t.Errorf("answer %+v", ans)
		}
		if n := metricstest.Value(t, reg, "signalling_rooms_limited_total", "limit", "rooms"); n != 1 {
			t.Errorf("%v were counted", n)
		}
		a.must(bus.Done, bus.Join, lobby, "guest") // what is there is not concerned
		a.must(bus.Done, bus.Leave, lobby, "owner")
		a.must(bus.Done, bus.Create, other, "another")
	})
}

// The largest roster fits the messages that carry it.
func TestTheLargestRoom(t *testing.T) {
	srv := natstest.Run(t)
	fresh(t, srv)
	a := newGateway(t, srv)
	a.must(bus.Done, bus.Create, lobby, bus.NewClientID())
	for i := range room.MaxMembers - 1 {
		a.seq += bus.Partitions
		c := bus.Command{Op: bus.Join, Gateway: a.id, Seq: a.seq, Room: lobby, Client: bus.NewClientID(), Have: 1}
		if err := a.nc.Publish(bus.CommandSubject(bus.Partition(lobby)), c.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 { // the answers carry the roster: not all of them at once
			a.await("the answer", func() bool { return a.answers[a.seq] != nil })
			clear(a.answers)
		}
	}
	a.must(bus.Refused, bus.Join, lobby, "one too many")
	c := a.announce(bus.Partition(lobby), bus.Announce{Rooms: []bus.AnnouncedRoom{{Room: lobby, Unsettled: nil}}})
	if len(c.Rooms) != 1 {
		t.Errorf("correction of %d rooms", len(c.Rooms))
	}
}

func TestAStopAnswersWhatHasArrived(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		a := newGateway(t, srv)
		const n = 500
		for i := range n {
			c := bus.Command{Op: bus.Create, Gateway: a.id, Seq: uint64(i+1) * bus.Partitions, Room: fmt.Sprint("room ", i), Client: "owner"}
			if err := a.nc.PublishRequest(bus.CommandSubject(bus.Partition(c.Room)), bus.AnswerSubject(a.id, c.Seq), c.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		s.stop()
		a.await("the last answer", func() bool { return len(a.answers) == n })
		done, refused := 0, 0
		for _, text := range a.answers {
			var ans bus.Answer
			switch {
			case len(text) == 0:
				refused++ // nobody serves any more
			case ans.Decode(text) == nil && ans.Result == bus.Done:
				done++
			default:
				t.Errorf("answer %s", text)
			}
		}
		t.Logf("%d carried out, %d refused", done, refused)
		s.end(t)
		if s.Ready(t.Context()) == nil {
			t.Error("ready after its end")
		}
		if _, ok := a.send(bus.Command{Op: bus.Join, Seq: 9999, Room: lobby, Client: "x"}); ok {
			t.Error("a stopped service answers")
		}
	})
}

func TestWrongNATSSettings(t *testing.T) {
	s, err := rooms.New(rooms.Config{NATS: natsbus.Config{URL: "http://x"}}, rooms.Options{NoAdmin: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, settings.ErrInvalid) {
		t.Errorf("Run: %v", err)
	}
}

func TestAStopWithoutNATS(t *testing.T) {
	s := start(t, rooms.Config{NATS: natsbus.Config{URL: "nats://127.0.0.1:1"}, DrainTimeout: 2 * natstest.Timeout}, rooms.Options{})
	if s.Ready(t.Context()) == nil {
		t.Error("ready without NATS")
	}
	s.end(t) // there is nobody to wait for
}

func TestANATSRestartRemovesNobody(t *testing.T) {
	srv := natstest.RunTCP(t)
	cfg := natsbus.Config{URL: srv.URL()}
	s := start(t, rooms.Config{NATS: cfg}, rooms.Options{Fresh: true})
	s.ready(t)
	a := gatewayOn(t, natstest.ConnectWith(t, cfg, natsbus.Options{}))
	b := gatewayOn(t, natstest.ConnectWith(t, cfg, natsbus.Options{}))
	two(t, a, b)
	srv.Stop()
	srv.Start()
	if ans := a.must(bus.Done, bus.Join, lobby, "third"); len(ans.Members) != 3 {
		t.Errorf("answer %+v", ans)
	}
	// A gateway that does not come back is given up, though not before its time.
	b.kill()
	if e := a.eventsOf(lobby, 3)[2]; e.Kind != bus.Closed {
		t.Errorf("event %+v", e)
	}
}

func TestNATSToolsShowTheService(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		a := newGateway(t, srv)
		a.must(bus.Done, bus.Create, lobby, "owner")
		a.must(bus.Done, bus.Join, lobby, "guest")
		a.must(bus.NotExists, bus.Join, "cellar", "guest")
		nc := natstest.Connect(t, srv)
		ask := func(subject string, into any) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), natstest.Timeout)
			defer cancel()
			m, err := nc.RequestWithContext(ctx, subject, nil)
			if err != nil {
				t.Fatalf("%s: %v", subject, err)
			}
			if err := json.Unmarshal(m.Data, into); err != nil {
				t.Fatalf("%s: %v in %s", subject, err, m.Data)
			}
		}
		var info struct {
			Name, ID, Version, Description string
			Metadata                       map[string]string
			Endpoints                      []struct{ Name, Subject string }
		}
		ask("$SRV.PING", &info)
		ask("$SRV.PING.rooms", &info)
		ask("$SRV.INFO.rooms", &info)
		if info.Name != "rooms" || info.Version != rooms.Version || info.Description == "" || info.Metadata["instance"] != s.Instance() ||
			len(info.Endpoints) != 1 || info.Endpoints[0].Subject != bus.RoomsStatusSubject(s.Instance()) {
			t.Errorf("info %+v", info)
		}
		type state struct {
			Instance                                 string
			Owned, Active, Gateways, Rooms, Members  int
			Commands                                 map[bus.Result]int
			Events, Evictions, Recoveries, Malformed int
			Partitions                               []struct {
				Partition      int
				Epoch          uint64
				State          string
				Rooms, Members int
			}
		}
		var stats struct {
			Endpoints []struct {
				NumRequests int `json:"num_requests"`
				Data        state
			}
		}
		ask("$SRV.STATS.rooms."+info.ID, &stats)
		var direct state
		ask(bus.RoomsStatusSubject(s.Instance()), &direct)
		for _, got := range []state{stats.Endpoints[0].Data, direct} {
			if got.Instance != s.Instance() || got.Owned != bus.Partitions || got.Active != bus.Partitions || got.Gateways != 1 || got.Rooms != 1 ||
				got.Members != 2 || got.Commands[bus.Done] != 2 || got.Commands[bus.NotExists] != 1 || got.Events != 1 || len(got.Partitions) != bus.Partitions {
				t.Errorf("state %+v", got)
			}
			if p := got.Partitions[bus.Partition(lobby)]; p.Partition != bus.Partition(lobby) || p.Epoch == 0 || p.State != "active" || p.Rooms != 1 || p.Members != 2 {
				t.Errorf("partition %+v", p)
			}
		}
	})
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// adminLog finds the address of the admin server where people find it: in the log.
type adminLog chan string

func (l adminLog) Write(line []byte) (int, error) {
	if _, addr, ok := strings.Cut(string(line), "for=admin addr="); ok {
		l <- strings.TrimSpace(addr)
	}
	return len(line), nil
}

func TestReadiness(t *testing.T) {
	srv := natstest.RunTCP(t)
	srv.Stop()
	log := make(adminLog, 1)
	s, err := rooms.New(rooms.Config{AdminListen: "127.0.0.1:0", NATS: natsbus.Config{URL: srv.URL()}}, rooms.Options{Logger: textLogger(log)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	addr := <-log
	status := func(path string) int {
		t.Helper()
		c := http.Client{Timeout: natstest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := c.Get("http://" + addr + path)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if alive, ready := status("/healthz"), status("/readyz"); alive != 200 || ready != 503 {
		t.Errorf("without NATS: alive %d, ready %d", alive, ready)
	}
	srv.Start()
	deadline := time.Now().Add(natstest.Timeout)
	for status("/readyz") != 200 {
		if time.Now().After(deadline) {
			t.Fatal("never ready")
		}
		time.Sleep(10 * time.Millisecond)
	}
	srv.Stop()
	for status("/readyz") != 503 {
		if time.Now().After(deadline) {
			t.Fatal("ready for ever")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if alive := status("/healthz"); alive != 200 {
		t.Errorf("NATS is away: alive %d", alive)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if status("/healthz") != 0 {
		t.Error("the admin server survived")
	}
}

func TestSettings(t *testing.T) {
	settingstest.Described(t, &rooms.Config{}, settings.Options{})
	var cfg rooms.Config
	if err := settings.Parse(&cfg, settings.Options{Environ: map[string]string{}}); err != nil {
		t.Fatal(err)
	}
	if empty := (rooms.Config{NATS: cfg.NATS, Tracing: cfg.Tracing}).Defaults(); empty != cfg {
		t.Errorf("defaults %+v, from the environment %+v", empty, cfg)
	}
	for _, bad := range []rooms.Config{
		{GatewayTimeout: time.Second}, {RecoveryWindow: time.Millisecond}, {Settle: -1}, {MaxMembers: 5000}, {MaxMembers: -1}, {DrainTimeout: -1},
	} {
		if err := bad.Validate(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
		if _, err := rooms.New(bad, rooms.Options{}); !errors.Is(err, settings.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
