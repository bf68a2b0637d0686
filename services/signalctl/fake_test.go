package signalctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/natsbus/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tests of what real services seldom say play them, on a real NATS server.

// stage is a NATS server with played services.
type stage struct {
	t  *testing.T
	nc *nats.Conn
}

func newStage(t *testing.T) *stage {
	t.Helper()
	srv := natstest.RunTCP(t)
	t.Setenv("NATS_URL", srv.URL())
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return &stage{t, nc}
}

// answers has a subject answered; nil says nothing.
func (s *stage) answers(subject, from string, answer func(q operate.Question) any) {
	s.t.Helper()
	_, err := s.nc.Subscribe(subject, func(m *nats.Msg) {
		q, fault := operate.Decode(m.Subject, m.Data)
		if fault != nil || !bus.IsOperatorInbox(m.Reply) {
			s.t.Errorf("%s: %v, reply %s", m.Subject, fault, m.Reply)
			return
		}
		if a := answer(q); a != nil {
			_ = m.Respond(operate.EncodeAnswer(from, a, s.nc.MaxPayload()))
		}
	})
	if err == nil {
		err = s.nc.FlushTimeout(natstest.Timeout)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// owner has a partition answered.
func (s *stage) owner(partition int, answer func(q operate.Question) any) {
	s.t.Helper()
	for _, v := range []bus.Verb{bus.Ask, bus.Do} {
		s.answers(bus.AdminPartition(v, partition), "a", answer)
	}
}

func always(answer any) func(operate.Question) any {
	return func(operate.Question) any { return answer }
}

func (s *stage) run(code int, args ...string) (out string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	if got := Run(s.t.Context(), args, &stdout, &stderr); got != code {
		s.t.Errorf("%q: exit code %d, want %d", args, got, code)
	}
	s.t.Logf("$ signalctl %s\n%s%s", strings.Join(args, " "), &stdout, &stderr)
	return stdout.String() + stderr.String()
}

func wants(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in\n%s", text, out)
		}
	}
}

// instance owns partitions from one to another.
func instance(id string, epoch uint64, from, to int, state string) *operate.Instance {
	i := &operate.Instance{Process: operate.Process{ID: id, Runtime: operate.Runtime{Version: "v1"}}}
	for n := from; n < to; n++ {
		i.Partitions = append(i.Partitions, operate.Partition{Partition: n, Epoch: epoch, State: state, Rooms: 1, Members: 2})
	}
	return i
}

func TestWhatIsNotWell(t *testing.T) {
	s := newStage(t)
	a, b := instance("a", 5, 0, 40, operate.Active), instance("b", 6, 38, 60, operate.Recovering)
	a.Peers = []string{"b", "c"}
	a.Gateways = []operate.Heard{{ID: "g1"}, {ID: "g2", Silence: 2}, {ID: "g3", Gone: true, Silence: 90}}
	b.Version = "v2"
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "a", always(a))
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "b", always(b))
	g := &operate.Gateway{Process: operate.Process{ID: "g1", Runtime: operate.Runtime{Version: "v1"}}, Clients: 7}
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "g1", always(g))

	wants(t, s.run(4, "status", "-wait", "200ms"), "1 gateway, 2 rooms instances; 38 of 64 partitions active", "7 clients, 60 rooms with 120 members",
		"! gateway g2: it does not answer; rooms have heard it 2s ago", "! gateway g3: it is gone, and its members are kept for 1m30s",
		"! rooms instance c does not answer", "! 4 partitions are unowned: 60-63", "! 22 partitions are recovering: 38-59",
		"! 2 partitions are owned by several instances: 38-39", "! several versions run: v1, v2")
	wants(t, s.run(4, "gateways", "-wait", "200ms"), "silent for 2s", "gone, members kept for 1m30s")
	wants(t, s.run(4, "partitions", "-wait", "200ms"), "recovering, also claimed by a", "nobody", "does not answer")
	var parts struct {
		Silent     []string
		Partitions []struct {
			Owner  string
			Others []string
			Epoch  uint64
		}
	}
	out := s.run(4, "partitions", "-json", "-wait", "200ms")
	if err := json.Unmarshal([]byte(out[:strings.IndexByte(out, '\n')]), &parts); err != nil {
		t.Fatal(err)
	}
	if p := parts.Partitions[39]; p.Owner != "b" || p.Epoch != 6 || len(p.Others) != 1 || p.Others[0] != "a" {
		t.Errorf("the higher epoch is right: %+v", p)
	}
}

// A list of rooms is shown as far as it is known, and said not to be whole.
func TestPartitionsWithoutOwner(t *testing.T) {
	s := newStage(t)
	for n := range bus.Partitions {
		if n == 7 {
			continue // nobody listens
		}
		s.owner(n, func(q operate.Question) any {
			if n == 9 {
				return operate.Errorf(operate.Retry, "partition 9 is recovering")
			}
			return operate.RoomList{Rooms: []operate.Summary{{Name: "room", Partition: n, Members: n}}, Total: 1}
		})
	}
	wants(t, s.run(4, "rooms", "-timeout", "500ms"), "62", "2 partitions are missing: 7, 9")
	wants(t, s.run(1, "close", "-timeout", "500ms", roomIn(7)), "partition 7: nobody answers; signalctl partitions")
	wants(t, s.run(1, "close", "-timeout", "500ms", roomIn(9)), "partition 9 is recovering")
}

// roomIn returns the name of a room in a partition.
func roomIn(partition int) string {
	for n := 0; ; n++ {
		if name := fmt.Sprint("room ", n); bus.Partition(name) == partition {
			return name
		}
	}
}

// A partition that changes hands is asked again.
func TestAskedAgain(t *testing.T) {
	s := newStage(t)
	name, asked := "lobby", 0
	s.owner(bus.Partition(name), func(q operate.Question) any {
		if asked++; asked < 3 {
			return operate.Errorf(operate.Retry, "not yet")
		}
		return operate.Done{Clients: 3, Closed: true}
	})
	wants(t, s.run(0, "close", name), "room lobby has ended for its 3 members")
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

func TestNobodyIsThere(t *testing.T) {
	s := newStage(t)
	for _, args := range []string{"status", "gateways", "partitions", "rooms", "room x", "client x", "kick x", "close x", "drain x", "ping"} {
		began := time.Now()
		wants(t, s.run(1, append(strings.Fields(args), "-timeout", "5s")...), "nobody answers")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s took %v", args, took)
		}
	}
}
