package socketio

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalling/api/client"
	"signalling/services/e2e/labtest"
)

// buffer is a Buffer in Node.
type buffer []byte

// MarshalJSON implements json.Marshaler.
func (b buffer) MarshalJSON() ([]byte, error) {
	return json.Marshal(J{"$buffer": base64.StdEncoding.EncodeToString(b)})
}

// nodeClient is one real client in a driver.
type nodeClient struct {
	kind

	t    testing.TB
	d    *driver
	ref  string
	acks int

	mu    sync.Mutex // guards what follows
	id    string
	flow  []*observation            // events and acknowledgements, in their order, that were not expected yet
	other map[string][]*observation // all else, by what it is
	more  chan struct{}             // closed when something comes
}

// What a driver says of a client beside events and acknowledgements.
const (
	sawConnect      = "connect"
	sawConnectError = "connect-error"
	sawDisconnect   = "disconnect"
	sawUpgrade      = "upgrade"
	sawClosed       = "closed" // a WebSocket, with its close code
	sawHTTP         = "http"   // a status other than 200
	sawState        = "state"
)

// open makes a client and waits until it is connected, by the transport with which its kind begins.
func (d *driver) open(t testing.TB, k kind, url string, options ...J) *nodeClient {
	t.Helper()
	c := d.start(t, k, url, options...)
	if o := c.await(sawConnect); o.Transport != k.first() && o.Transport != k.last() {
		t.Errorf("%s began with %s", k, o.Transport)
	}
	return c
}

// start makes a client and does not wait. An option "localAddress" is the address from which it connects.
func (d *driver) start(t testing.TB, k kind, url string, options ...J) *nodeClient {
	t.Helper()
	command := J{"op": "open", "version": k.version, "url": url, "events": client.EventNames}
	all := k.options()
	for _, more := range options {
		for name, value := range more {
			if name == "localAddress" {
				command[name] = value
			} else {
				all[name] = value
			}
		}
	}
	command["options"] = all
	return d.add(t, k, command)
}

// namespace makes another socket on a client's connection.
func (c *nodeClient) namespace(name string) *nodeClient {
	c.t.Helper()
	return c.d.add(c.t, c.kind, J{"op": "namespace", "of": c.ref, "name": name, "events": client.EventNames})
}

func (d *driver) add(t testing.TB, k kind, command J) *nodeClient {
	c := &nodeClient{kind: k, t: t, d: d, other: make(map[string][]*observation), more: make(chan struct{})}
	d.mu.Lock()
	c.ref = fmt.Sprintf("%s-%d", k, len(d.clients))
	d.clients[c.ref] = c
	d.mu.Unlock()
	command["ref"] = c.ref
	d.do(command)
	return c
}

// saw notes a line of the driver.
func (c *nodeClient) saw(o *observation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch o.What {
	case "event", "ack":
		c.flow = append(c.flow, o)
	case sawConnect:
		c.id = o.ID
		fallthrough
	default:
		c.other[o.What] = append(c.other[o.What], o)
	}
	close(c.more)
	c.more = make(chan struct{})
}

// ID is what the client sees as its socket.id, of the connection that it has or had last.
func (c *nodeClient) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// next waits until take, which is called with mu held, returns an observation.
func (c *nodeClient) next(what string, take func() *observation) *observation {
	c.t.Helper()
	deadline := time.After(labtest.Patience)
	for {
		c.mu.Lock()
		o, more := take(), c.more
		c.mu.Unlock()
		if o != nil {
			return o
		}
		select {
		case <-more:
		case <-c.d.ended:
			c.t.Fatalf("%s: no %s: Node has ended", c.ref, what)
		case <-deadline:
			c.t.Fatalf("%s: no %s; %s", c.ref, what, c.history())
		}
	}
}

// history is what was not asked for, for reports.
func (c *nodeClient) history() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, _ := json.Marshal(J{"flow": c.flow, "other": c.other})
	return fmt.Sprintf("seen otherwise: %.1000s", text)
}

// await waits for the next observation of a sort that is neither event nor acknowledgement.
func (c *nodeClient) await(what string) *observation {
	c.t.Helper()
	return c.next(what, func() *observation {
		if len(c.other[what]) == 0 {
			return nil
		}
		o := c.other[what][0]
		c.other[what] = c.other[what][1:]
		return o
	})
}

// never checks that nothing of the sorts was seen so far and not awaited.
func (c *nodeClient) never(sorts ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range sorts {
		for _, o := range c.other[what] {
			c.t.Errorf("%s: %s: %+v", c.ref, what, *o)
		}
	}
}

// emit sends an event without a callback.
func (c *nodeClient) emit(args ...any) {
	c.t.Helper()
	c.d.do(J{"op": "emit", "ref": c.ref, "args": args})
}

// emitAck sends an event with a callback; the number names the acknowledgement.
func (c *nodeClient) emitAck(args ...any) (ack int) {
	c.t.Helper()
	c.acks++
	c.d.do(J{"op": "emit", "ref": c.ref, "args": args, "ack": c.acks})
	return c.acks
}

func (c *nodeClient) flowing() *observation {
	if len(c.flow) == 0 {
		return nil
	}
	o := c.flow[0]
	c.flow = c.flow[1:]
	return o
}

// expect waits for the next event, which must have this name and exactly these arguments.
func (c *nodeClient) expect(want ...any) {
	c.t.Helper()
	o := c.next(fmt.Sprintf("event %v", want[0]), c.flowing)
	c.compare("event", 0, want, o)
}

// expectAck waits for the next event or acknowledgement, which must be this one's and have exactly these arguments.
func (c *nodeClient) expectAck(ack int, want ...any) {
	c.t.Helper()
	o := c.next(fmt.Sprintf("acknowledgement %d", ack), c.flowing)
	c.compare("ack", ack, want, o)
}

func (c *nodeClient) compare(what string, ack int, want []any, o *observation) {
	c.t.Helper()
	if o.What != what || o.Ack != ack {
		c.t.Fatalf("%s: %s %d %.500v, want %s %d %.500v", c.ref, o.What, o.Ack, o.Args, what, ack, want)
	}
	if diff := cmp.Diff(plain(c.t, want), o.Args, anyText); diff != "" {
		c.t.Fatalf("%s: %s (-want +got):\n%.4000s", c.ref, what, diff)
	}
}

// forget drops all that was seen and not awaited, but upgrades: those of a client that has just come back belong to it.
func (c *nodeClient) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flow = nil
	for what := range c.other {
		if what != sawUpgrade {
			delete(c.other, what)
		}
	}
}

// fence is a room that never exists.
const fence = "no room has this name"

// expectNothing checks that nothing waits: the next event must be the answer to a command that is sent now.
func (c *nodeClient) expectNothing() {
	c.t.Helper()
	c.emit("room-join", fence)
	c.expect("room-not-exists", fence)
}

// joins makes the client a member of a room.
func (c *nodeClient) joins(room string) {
	c.t.Helper()
	c.emit("room-join", room)
	if o := c.next("room-joined", c.flowing); o.What != "event" || o.Args[0] != "room-joined" {
		c.t.Fatalf("%s: %s %.500v, want room-joined", c.ref, o.What, o.Args)
	}
}

// disconnect is socket.disconnect().
func (c *nodeClient) disconnect() {
	c.t.Helper()
	c.d.do(J{"op": "disconnect", "ref": c.ref})
}

// settled waits until the client has upgraded, if it does that at all, and checks that it is connected and has always been.
func (c *nodeClient) settled() {
	c.t.Helper()
	if c.transports == byDefault {
		if o := c.await(sawUpgrade); o.Transport != websocket {
			c.t.Errorf("%s: upgraded to %s", c.ref, o.Transport)
		}
	}
	c.d.do(J{"op": "state", "ref": c.ref})
	if s := c.await(sawState); !s.Connected || s.Transport != c.last() || s.ID != c.ID() {
		c.t.Errorf("%s: is %+v, want connected by %s with id %s", c.ref, *s, c.last(), c.ID())
	}
	c.never(sawConnect, sawConnectError, sawDisconnect, sawUpgrade, sawClosed, sawHTTP)
}

// plain makes of values what decoding their JSON would.
func plain(t testing.TB, want []any) (values []any) {
	t.Helper()
	if want == nil {
		want = []any{} // no arguments
	}
	if err := json.Unmarshal([]byte(text(t, want)), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func text(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var anyText = cmp.FilterValues(func(x, y string) bool {
	return (x == labtest.AnyText || y == labtest.AnyText) && x != "" && y != ""
}, cmp.Ignore())
