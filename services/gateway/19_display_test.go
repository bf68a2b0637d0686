package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
	"signalling/pkg/token"
)

// Display identities: a claim of the token, which other members are told where that is set.

// shows passes the claim "name" on.
func shows(t *testing.T) func(*settings) {
	return tuned(t, "GATEWAY_AUTH_SECRET", authSecret, "GATEWAY_AUTH_DISPLAY", "name")
}

// tokenAs is a token whose claim "name" is this; nil for one without.
func tokenAs(t testing.TB, name any) string {
	t.Helper()
	return tokenFor(t, token.Order{Claims: map[string]any{"name": name}})
}

// dialAs lets a client in whose token has the name.
func (w *world) dialAs(name any) *client {
	w.t.Helper()
	c := w.dialToken(tokenAs(w.t, name))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, c)
	return c
}

// openAs makes a room whose creator brings a display identity.
func (o *owner) openAs(name string, by *client, display string) *room {
	o.t.Helper()
	by.create(name)
	r := o.room(name)
	c := o.expectCommand(bus.Create, name, by)
	if c.Display != display {
		o.t.Errorf("the create has the display identity %q, want %q", c.Display, display)
	}
	r.Owner = by.id
	r.Members = []bus.Member{{Client: by.id, Gateway: c.Gateway, Since: r.Version, Seq: c.Seq, Display: display}}
	r.answer(c)
	by.expect(created(name))
	return r
}

// addAs is add with a display identity.
func (r *room) addAs(who named, gateway string, seq uint64, display string) *bus.Event {
	e := r.add(who, gateway, seq)
	r.Members[len(r.Members)-1].Display, e.Display = display, display
	return e
}

// letInAs takes a client's join through.
func (r *room) letInAs(c *client, display string) {
	r.o.t.Helper()
	c.join(r.name)
	r.admitAs(c, display)
	c.expect(joinedAs(&r.Roster, r.name, c))
}

// admitAs answers a join.
func (r *room) admitAs(c named, display string) {
	r.o.t.Helper()
	cmd := r.o.expectCommand(bus.Join, r.name, c)
	if cmd.Display != display {
		r.o.t.Errorf("the join has the display identity %q, want %q", cmd.Display, display)
	}
	r.publish(r.addAs(c, cmd.Gateway, cmd.Seq, display))
	r.answer(cmd)
}

// joinedAs is the room as a member is told of it.
func joinedAs(r *bus.Roster, name string, self named) *api.RoomJoined {
	e := &api.RoomJoined{Room: name, OwnerID: r.Owner, Clients: []string{}, Displays: map[string]string{}}
	for _, m := range r.Members {
		if m.Client == self.name() {
			continue
		}
		e.Clients = append(e.Clients, m.Client)
		if m.Display != "" {
			e.Displays[m.Client] = m.Display
		}
	}
	return e
}

func joinedClient(room string, c named, display string) api.Event {
	return &api.ClientJoined{Room: room, ClientID: c.name(), Display: display}
}

func TestMembersAreToldDisplayIdentities(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.dialAs("Alice"), w.dialAs(`Zoë "👩"`), w.dialAs(nil)
		for c, want := range map[*client]string{alice: "Alice", bob: `Zoë "👩"`, carol: ""} {
			if c.welcome.Display != want {
				t.Errorf("the welcome has %q, want %q", c.welcome.Display, want)
			}
		}
		r := w.owner.openAs(lobby, alice, "Alice")
		r.letInAs(bob, `Zoë "👩"`)
		alice.expect(joinedClient(lobby, bob, `Zoë "👩"`))
		r.publish(r.addAs(stranger("zoe"), "elsewhere", 1, "Zoe"))
		alice.expect(joinedClient(lobby, stranger("zoe"), "Zoe"))
		bob.expect(joinedClient(lobby, stranger("zoe"), "Zoe"))
		r.letInAs(carol, "")
		for _, c := range []*client{alice, bob} {
			c.expect(clientJoined(lobby, carol))
		}
		alice.join(lobby) // she is told the same again
		r.answer(w.owner.expectCommand(bus.Join, lobby, alice))
		alice.expect(joinedAs(&r.Roster, lobby, alice))
		w.quiet()
	}, shows(t))
}

// A new owner of the partition learns the identities from the gateways, those of commands on their way among them.
func TestDisplayIdentitiesAreAnnounced(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.dialAs("Alice"), w.dialAs("Bob"), w.dialAs(nil)
		r := w.owner.openAs(lobby, alice, "Alice")
		r.letInAs(carol, "")
		alice.expect(clientJoined(lobby, carol))
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		got := map[string]string{}
		for _, m := range a.Rooms[0].Members {
			got[m.Client] = m.Display
		}
		if diff := cmp.Diff(map[string]string{alice.id: "Alice", carol.id: ""}, got); diff != "" {
			t.Error(diff)
		}
		if ar := a.Rooms[0]; !reflect.DeepEqual(ar.Unsettled, []string{bob.id}) || !reflect.DeepEqual(ar.Displays, []string{"Bob"}) {
			t.Errorf("unsettled %v, %v", ar.Unsettled, ar.Displays)
		}
		// The correction names somebody of whom the gateway has not heard.
		r.addAs(stranger("zoe"), "elsewhere", 1, "Zoe")
		w.owner.correct(a, r.as())
		for _, member := range []*client{alice, carol} {
			member.expect(joinedClient(lobby, stranger("zoe"), "Zoe"))
		}
		r.publish(r.addAs(bob, c.Gateway, c.Seq, "Bob"))
		r.answer(c)
		bob.expect(joinedAs(&r.Roster, lobby, bob))
		for _, member := range []*client{alice, carol} {
			member.expect(joinedClient(lobby, bob, "Bob"))
		}
		w.owner.skipCommands()
	}, shows(t))
}

// A member with a command on its way is announced with its identity once.
func TestADisplayIdentityIsAnnouncedOnce(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.dialAs("Alice"), w.dialAs("Bob")
		r := w.owner.openAs(lobby, alice, "Alice")
		r.letInAs(bob, "Bob")
		alice.expect(joinedClient(lobby, bob, "Bob"))
		bob.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		if ar := a.Rooms[0]; !reflect.DeepEqual(ar.Unsettled, []string{bob.id}) || ar.Displays != nil || len(ar.Members) != 2 {
			t.Errorf("announced %+v", ar)
		}
		w.owner.correct(a, r.as())
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		r.left(c)
		bob.expect(left(lobby))
		w.owner.skipCommands()
	}, shows(t))
}

// What is not asked for is not passed on.
func TestNoDisplayIdentityByDefault(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.dialAs("Alice"), w.dialAs("Bob"), w.dialAs(7)
		r := w.owner.openAs(lobby, alice, "")
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		for _, c := range []*client{alice, bob, carol} {
			if c.welcome.Display != "" {
				t.Errorf("the welcome has %q", c.welcome.Display)
			}
		}
		w.quiet()
	}, tuned(t, "GATEWAY_AUTH_SECRET", authSecret))
}

func TestDisplayIdentitiesThatCannotBeUsed(t *testing.T) {
	g := tokenGateway(t, natstest.RunTCP(t), "GATEWAY_AUTH_DISPLAY", "name")
	const message = "the token's display identity cannot be used"
	for _, name := range []any{"a\nb", "\u202eevil", strings.Repeat("x", api.MaxDisplayBytes+1), 7, []string{"x"}, true} {
		_, resp, err := g.tryDial(g.url(), bearer(tokenAs(t, name)))
		if err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%q: %v, %v", name, resp, err)
		}
		body := make([]byte, 1000)
		n, _ := resp.Body.Read(body)
		if want := `{"event":"error","message":"` + message + `","code":"unauthorized"}` + "\n"; string(body[:n]) != want {
			t.Errorf("%q: %s, want %s", name, body[:n], want)
		}
		s := openSIO(t, g.tryDial, strings.TrimSuffix(g.url(), "/ws"), tokenAs(t, name), "")
		if want := `44{"message":"` + message + `","data":`; !strings.HasPrefix(s.hello, want) {
			t.Errorf("%q: %s, want %s", name, s.hello, want)
		}
	}
	_, err := fromSettings(t, "nats://127.0.0.1:1", map[string]string{"GATEWAY_AUTH_DISPLAY": "name"})
	if !errors.Is(err, conf.ErrInvalid) || !strings.Contains(err.Error(), "GATEWAY_AUTH_DISPLAY") {
		t.Errorf("a setting that nothing comes of: %v", err)
	}
}

// Another token of the same user does not change who the others see.
func TestARefreshKeepsTheDisplayIdentity(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		alice := w.dialAs("Alice")
		alice.refresh(tokenAs(w.t, "Bob"), "1")
		alice.expectID("1", &api.TokenRefreshed{})
		alice.refresh(tokenAs(w.t, "a\nb"), "2")
		alice.expectID("2", &api.Error{Message: "the token's display identity cannot be used", Code: api.Unauthorized})
		w.owner.openAs(lobby, alice, "Alice")
	}, shows(t))
}

// resumeAs is resume by somebody with a token for the door.
func (w *world) resumeAs(name any, token string, received int) (*client, api.Event) {
	w.t.Helper()
	c := w.dialAs(name)
	c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":%d}`, token, received))
	e, _, err := api.DecodeObject([]byte(c.next()))
	if err != nil {
		w.t.Fatal(err)
	}
	if r, ok := e.(*api.Resumed); ok {
		c.id, c.welcome.Resume = r.ClientID, r.Resume
	}
	return c, e
}

// A session keeps its display identity at its gateway and at another one, and nobody with another one gets it.
func TestASessionKeepsItsDisplayIdentity(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		w2 := newWorld(w.t, w.srv, shows(t), keeps())
		settle()
		w.owner.heard()
		alice, bob := w.dialAs("Alice"), w.dialAs("Bob")
		r := w.owner.openAs(lobby, alice, "Alice")
		r.letInAs(bob, "Bob")
		alice.expect(joinedClient(lobby, bob, "Bob"))
		alice.vanish()
		settle()
		for _, gw := range []*world{w, w2} {
			for _, name := range []any{"Bob", nil} {
				_, e := gw.resumeAs(name, alice.welcome.Resume, 2)
				refusedToken(t, e, "does not fit")
			}
		}
		again, e := w.resumeAs("Alice", alice.welcome.Resume, 2)
		if x, ok := e.(*api.Resumed); !ok || x.Missed {
			t.Fatalf("%+v", e)
		}
		r.proves(again)
		moved, e := w2.resumeAs("Alice", again.welcome.Resume, 2)
		if x, ok := e.(*api.Resumed); !ok || x.Missed {
			t.Fatalf("%+v", e)
		}
		r.moves(moved, w, w2, r.addAs(stranger("zoe"), "elsewhere", 1, "Zoe"))
		moved.expect(joinedClient(lobby, stranger("zoe"), "Zoe")) // what has changed on the way
		bob.expect(joinedClient(lobby, stranger("zoe"), "Zoe"))
		moved.do(api.RoomCreate, "another", "")
		w.owner.gateway = w2.hub.ID()
		if c := w.owner.expectCommand(bus.Create, "another", moved); c.Display != "Alice" {
			t.Errorf("the create has the display identity %q", c.Display)
		}
		w.owner.gateway = w.hub.ID()
		bob.join(lobby) // bob's gateway has not forgotten who she is
		r.answer(w.owner.expectCommand(bus.Join, lobby, bob))
		bob.expect(joinedAs(&r.Roster, lobby, bob))
	}, shows(t), keeps())
}

// A session of a gateway that is gone is put together from what rooms know: the display identity is that of its members.
func TestASessionOfADeadGatewayKeepsItsDisplayIdentity(t *testing.T) {
	for _, name := range []any{"Alice", "Bob", nil} {
		t.Run(fmt.Sprint(name), func(t *testing.T) {
			scene(t, func(t *testing.T, w *world) {
				r := w.owner.found(lobby, stranger("alice"), "gone")
				r.Members[0].Display = "Alice"
				r.addAs(stranger("zoe"), "elsewhere", 1, "Zoe")
				c := w.dialAs(name)
				c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":7}`, w.lost("alice", 3)))
				w.owner.finds(bus.Found{Client: "alice", Room: lobby, Gateway: "gone", Inc: 3, Display: "Alice"})
				e, _, err := api.DecodeObject([]byte(c.next()))
				if err != nil {
					t.Fatal(err)
				}
				if name != "Alice" {
					refusedToken(t, e, "does not fit")
					return
				}
				c.id = "alice"
				cmd := w.owner.expectCommand(bus.Move, lobby, c)
				r.Version++
				r.Members[0].Gateway, r.Members[0].Seq, r.Members[0].Inc = cmd.Gateway, cmd.Seq, cmd.Inc
				r.answer(cmd)
				r.proves(c)
				picture := joinedAs(&r.Roster, lobby, c)
				picture.Resumed = true
				c.expect(picture)
				c.create("another")
				if cmd := w.owner.expectCommand(bus.Create, "another", c); cmd.Display != "Alice" {
					t.Errorf("the create has the display identity %q", cmd.Display)
				}
			}, shows(t), keeps())
		})
	}
}

// sio is a Socket.IO client (protocol 5, WebSocket only) by hand.
type sio struct {
	t     *testing.T
	ws    *websocket.Conn
	hello string // what came of the connect packet
	id    string
	pid   string
}

type dialer func(url string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error)

// openSIO connects with a token; more are fields of the auth object.
func openSIO(t *testing.T, dial dialer, base, token, more string) *sio {
	t.Helper()
	ws, resp, err := dial(base+sioPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	s := &sio{t: t, ws: ws}
	s.next() // open
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`40{"token":"`+token+`"`+more+`}`)); err != nil {
		t.Fatal(err)
	}
	s.hello = s.next()
	var connected struct{ SID, PID string }
	if text, ok := strings.CutPrefix(s.hello, "40"); ok {
		if err := json.Unmarshal([]byte(text), &connected); err != nil {
			t.Fatal(err)
		}
	}
	s.id, s.pid = connected.SID, connected.PID
	return s
}

func (s *sio) name() string { return s.id }

func (s *sio) next() string {
	s.t.Helper()
	_, frame, err := s.ws.ReadMessage()
	if err != nil {
		s.t.Fatal(err)
	}
	return string(frame)
}

func (s *sio) emit(args ...any) {
	s.t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.ws.WriteMessage(websocket.TextMessage, append([]byte("42"), text...)); err != nil {
		s.t.Fatal(err)
	}
}

// expect takes an event with these arguments. anOffset stands for any text.
func (s *sio) expect(args ...any) (offset string) {
	s.t.Helper()
	var got []any
	frame := s.next()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(frame, "42")), &got); err != nil {
		s.t.Fatalf("%s: %v", frame, err)
	}
	if n := len(got) - 1; n > 0 && args[len(args)-1] == anOffset && n == len(args)-1 {
		offset, _ = got[n].(string)
		got[n] = anOffset
	}
	if diff := cmp.Diff(args, got); diff != "" {
		s.t.Fatalf("%s (-want +got):\n%s", frame, diff)
	}
	return offset
}

const anOffset = "(an offset)"

func (w *world) openSIO(t *testing.T, name any, more string) *sio {
	t.Helper()
	return openSIO(t, func(url string, header http.Header, _ ...string) (*websocket.Conn, *http.Response, error) {
		return w.tryDial(url, header)
	}, "", tokenAs(t, name), more)
}

// At the Socket.IO door they are further arguments at the end. Before an offset each argument keeps its place.
func TestDisplayIdentitiesOfTheSocketIODoor(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.dialAs("Alice"), w.openSIO(t, "Bob", "")
		r := w.owner.openAs(lobby, alice, "Alice")
		bob.emit("room-join", lobby)
		r.admitAs(bob, "Bob")
		bob.expect("room-joined", lobby, alice.id, []any{alice.id}, nil, nil, map[string]any{alice.id: "Alice"})
		alice.expect(joinedClient(lobby, bob, "Bob"))
		r.publish(r.addAs(stranger("zoe"), "elsewhere", 1, "Zoe"))
		bob.expect("client-joined", lobby, "zoe", "Zoe")
		r.publish(r.addAs(stranger("yan"), "elsewhere", 2, ""))
		bob.expect("client-joined", lobby, "yan")
	}, shows(t))
}

func TestDisplayIdentitiesOfTheSocketIODoorBeforeAnOffset(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.dialAs("Alice"), w.openSIO(t, "Bob", "")
		bob.expect("welcome", bob.id, float64(1), float64(256<<10), nil, nil, float64(window.Milliseconds()), "Bob", anOffset)
		r := w.owner.openAs(lobby, alice, "Alice")
		bob.emit("room-join", lobby)
		r.admitAs(bob, "Bob")
		bob.expect("room-joined", lobby, alice.id, []any{alice.id}, nil, nil, map[string]any{alice.id: "Alice"}, anOffset)
		r.publish(r.addAs(stranger("yan"), "elsewhere", 2, ""))
		bob.expect("client-joined", lobby, "yan", nil, anOffset)
		r.publish(r.addAs(stranger("zoe"), "elsewhere", 1, "Zoe"))
		offset := bob.expect("client-joined", lobby, "zoe", "Zoe", anOffset)
		_ = bob.ws.Close()
		settle()
		more := fmt.Sprintf(`,"pid":%q,"offset":%q`, bob.pid, offset)
		if other := w.openSIO(t, "Mallory", more); other.id == bob.id {
			t.Error("somebody else has the session")
		}
		again := w.openSIO(t, "Bob", more)
		if again.id != bob.id {
			t.Fatalf("it came back as %s, and was %s", again.id, bob.id)
		}
		again.expect("resumed", bob.id, float64(1), float64(3), false, []any{}, nil, float64(window.Milliseconds()), anOffset)
	}, shows(t), keeps())
}
