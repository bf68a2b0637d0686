package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
)

// operator asks as signalctl does.
type operator struct {
	t  *testing.T
	nc *nats.Conn
}

func newOperator(t *testing.T, srv *natsembed.Server) *operator {
	t.Helper()
	return &operator{t, natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{InProcess: srv.Provider(), InboxPrefix: bus.OperatorInbox("test")})}
}

// ask returns the Error that came in place of an answer.
func (o *operator) ask(subject string, q operate.Question, answer any) *operate.Error {
	o.t.Helper()
	data, err := q.Encode()
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), natstest.Timeout)
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

func (o *operator) must(subject string, q operate.Question, answer any) {
	o.t.Helper()
	if fault := o.ask(subject, q, answer); fault != nil {
		o.t.Fatalf("%s: %v", subject, fault)
	}
}

func (o *operator) mustFail(code operate.Code, subject string, q operate.Question) {
	o.t.Helper()
	var ignored json.RawMessage
	if fault := o.ask(subject, q, &ignored); fault == nil || fault.Code != code {
		o.t.Errorf("%s %+v: %v, want %s", subject, q, fault, code)
	}
}

func TestOperatorsSeeRooms(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		g, o := newGateway(t, srv), newOperator(t, srv)
		p := bus.Partition("lobby")
		g.must(bus.Done, bus.Create, "lobby", "owner")
		g.must(bus.Done, bus.Join, "lobby", "guest")

		var i operate.Instance
		for _, id := range []string{bus.Everyone, s.Instance()} {
			o.must(bus.AdminRooms(bus.Ask, id), operate.Question{Op: operate.Status}, &i)
		}
		if i.ID != s.Instance() || i.Rooms != 1 || i.Members != 2 || i.Active != bus.Partitions || len(i.Partitions) != bus.Partitions ||
			i.Owners[p] != i.ID || len(i.Gateways) != 1 || i.Gateways[0].ID != g.id || i.Ownership != "static" || i.Commands != 2 || i.Events != 1 {
			t.Errorf("status: %+v", i)
		}
		var list operate.RoomList
		o.must(bus.AdminPartition(bus.Ask, p), operate.Question{Op: operate.Rooms}, &list)
		if list.Partition != p || len(list.Rooms) != 1 || list.Rooms[0].Name != "lobby" || list.Rooms[0].Members != 2 {
			t.Errorf("rooms: %+v", list)
		}
		var r operate.RoomState
		o.must(bus.AdminPartition(bus.Ask, p), operate.Question{Op: operate.Room, Room: "lobby"}, &r)
		if r.Owner != "owner" || len(r.List) != 2 || r.List[1].Client != "guest" || r.List[1].Gateway != g.id {
			t.Errorf("room: %+v", r)
		}
		var where operate.Presence
		o.must(bus.AdminPartition(bus.Ask, p), operate.Question{Op: operate.Client, Client: "guest"}, &where)
		if len(where.Memberships) != 1 || where.Memberships[0].Room != "lobby" {
			t.Errorf("client: %+v", where)
		}
		o.mustFail(operate.NotFound, bus.AdminPartition(bus.Ask, p), operate.Question{Op: operate.Room, Room: roomLike("lobby")})
		o.mustFail(operate.BadRequest, bus.AdminPartition(bus.Ask, (p+1)%bus.Partitions), operate.Question{Op: operate.Room, Room: "lobby"})
		o.mustFail(operate.UnknownOp, bus.AdminPartition(bus.Ask, p), operate.Question{Op: operate.Status})
		o.mustFail(operate.UnknownOp, bus.AdminRooms(bus.Ask, bus.Everyone), operate.Question{Op: operate.Rooms})
		o.mustFail(operate.Forbidden, bus.AdminPartition(bus.Ask, p), operate.Question{Op: operate.Close, Room: "lobby"})
	})
}

// roomLike returns the name of another room in the same partition.
func roomLike(name string) string {
	for n := 'a'; ; n++ {
		if other := name + string(n); bus.Partition(other) == bus.Partition(name) {
			return other
		}
	}
}

func TestOperatorsKickAndClose(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		g, o := newGateway(t, srv), newOperator(t, srv)
		subject := bus.AdminPartition(bus.Do, bus.Partition("lobby"))
		g.follow("lobby")
		g.must(bus.Done, bus.Create, "lobby", "owner")
		g.must(bus.Done, bus.Join, "lobby", "guest")
		var done operate.Done
		o.must(subject, operate.Question{Op: operate.Kick, Room: "lobby", Client: "guest"}, &done)
		if done != (operate.Done{Clients: 1}) {
			t.Errorf("kick: %+v", done)
		}
		if e := g.eventsOf("lobby", 2)[1]; e.Kind != bus.Left || e.Client != "guest" || !e.Policy.Bans("guest") {
			t.Errorf("its event: %+v", e)
		}
		g.must(bus.Refused, bus.Join, "lobby", "guest")
		o.mustFail(operate.NotFound, subject, operate.Question{Op: operate.Kick, Room: "lobby", Client: "guest"})
		o.must(subject, operate.Question{Op: operate.Close, Room: "lobby"}, &done)
		if done != (operate.Done{Clients: 1, Closed: true}) {
			t.Errorf("close: %+v", done)
		}
		if e := g.eventsOf("lobby", 3)[2]; e.Kind != bus.Closed || e.Client != "" {
			t.Errorf("its event: %+v", e)
		}
		o.mustFail(operate.NotFound, subject, operate.Question{Op: operate.Close, Room: "lobby"})
		o.mustFail(operate.NotFound, subject, operate.Question{Op: operate.Kick, Room: "lobby", Client: "guest"})
		g.must(bus.Done, bus.Create, "lobby", "guest") // another room, which has kicked nobody
	})
}

// A new owner that does not know its rooms yet does not act for them, and says to ask again.
func TestOperatorsWaitForARecovery(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		o := newOperator(t, srv)
		s := start(t, rooms.Config{}, rooms.Options{InProcess: srv.Provider()})
		time.Sleep(50 * time.Millisecond)
		o.mustFail(operate.Retry, bus.AdminPartition(bus.Do, bus.Partition("lobby")), operate.Question{Op: operate.Close, Room: "lobby"})
		s.ready(t)
		o.mustFail(operate.NotFound, bus.AdminPartition(bus.Do, bus.Partition("lobby")), operate.Question{Op: operate.Close, Room: "lobby"})
	})
}

// Whoever may ask cannot have the answer written to where the service may write and the sender may not.
func TestOperatorsAreAnsweredInTheirInboxOnly(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		o := newOperator(t, srv)
		heard, err := o.nc.SubscribeSync(">")
		if err != nil {
			t.Fatal(err)
		}
		q := operate.Question{Op: operate.Status}
		data, err := q.Encode()
		if err != nil {
			t.Fatal(err)
		}
		list := operate.Question{Op: operate.Rooms}
		listData, err := list.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, inbox := range []string{bus.EventSubject(bus.Token("lobby")), "$KV.sig_owners.p.1", bus.PingSubject("x"), "sig.adm.ans", ""} {
			for subject, data := range map[string][]byte{bus.AdminRooms(bus.Ask, s.Instance()): data, bus.AdminPartition(bus.Ask, 3): listData} {
				if err := o.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: inbox, Data: data}); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		for {
			m, err := heard.NextMsg(time.Millisecond)
			if err != nil {
				break
			}
			var a json.RawMessage
			if from, err := operate.DecodeAnswer(m.Data, &a); err == nil && from != "" {
				t.Errorf("answered on %s: %s", m.Subject, m.Data)
			}
		}
	})
}
