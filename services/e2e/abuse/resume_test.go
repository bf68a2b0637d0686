package abuse

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

// sio is a Socket.IO client (protocol 5, WebSocket only) by hand. It answers the pings that it reads.
type sio struct {
	*labtest.Conn
	t           *testing.T
	pid, offset string
}

// dialSIO connects; auth is the connect packet's, a JSON object or nothing.
func (v *victim) dialSIO(t *testing.T, auth string) *sio {
	t.Helper()
	s := &sio{Conn: labtest.OpenUnread(t, "ws://"+v.addr()+"/socket.io/?EIO=4&transport=websocket", nil), t: t}
	s.Read()
	s.NextText() // open
	s.Send("40" + auth)
	var connected struct{ SID, PID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(s.NextText(), "40")), &connected); err != nil {
		t.Fatal(err)
	}
	s.ID, s.pid = connected.SID, connected.PID
	return s
}

// event takes the next event, which must have this name, and its offset.
func (s *sio) event(name string) []any {
	s.t.Helper()
	text := s.NextText()
	for ; text == "2"; text = s.NextText() {
		s.Send("3")
	}
	var args []any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "42")), &args); err != nil || args[0] != name {
		s.t.Fatalf("%s: %s, %v: want %s", s.ID, text, err, name)
	}
	s.offset, _ = args[len(args)-1].(string)
	return args
}

func (s *sio) emit(args ...any) {
	s.t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Send("42" + string(text))
}

func recovery(pid, offset string) string { return fmt.Sprintf(`{"pid":%q,"offset":%q}`, pid, offset) }

// resumed counts how sessions were asked for.
func (v *victim) resumed(result string) float64 {
	v.t.Helper()
	return v.metric(`signalling_gateway_sessions_resumed_total{result="` + result + `"}`)
}

// resume asks for a session at the native door.
func (v *victim) resume(t *testing.T, token string, received int) (*labtest.Conn, labtest.J) {
	t.Helper()
	c := labtest.Open(t, v.URLOf(0), nil)
	c.Emit(labtest.J{"event": "resume", "token": token, "received": received})
	answer := c.Next()
	return c, answer
}

// comesBack is resume by who has the right to it.
func (v *victim) comesBack(t *testing.T, token, id string, received int) (c *labtest.Conn, newer string) {
	t.Helper()
	c, answer := v.resume(t, token, received)
	if answer["event"] != "resumed" || answer["clientId"] != id || answer["missed"] != false {
		t.Fatalf("the rightful client gets %v", answer)
	}
	c.ID = id
	newer, _ = answer["resume"].(string)
	return c, newer
}

// recoversSIO is comesBack at the Socket.IO door.
func (v *victim) recoversSIO(t *testing.T, was *sio) *sio {
	t.Helper()
	s := v.dialSIO(t, recovery(was.pid, was.offset))
	if s.ID != was.ID {
		t.Fatalf("the rightful client is %s, and was %s", s.ID, was.ID)
	}
	if e := s.event("resumed"); e[4] != false {
		t.Fatalf("%v", e)
	}
	s.pid = was.pid
	return s
}

// altered is a token with another character at a place before its end.
func altered(text string, beforeEnd int) string {
	b := []byte(text)
	i := len(b) - beforeEnd
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// A token with which a session is resumed is the client's own, for this session, and for once. What a thief has of it, or makes,
// is refused at both doors as often as it is tried, and the client notices nothing.
func TestResumeTokens(t *testing.T) {
	t.Parallel()
	const rounds = 100
	v := attack(t, "GATEWAY_RESUME_WINDOW=5s", "GATEWAY_PING_INTERVAL=10m", "GATEWAY_RATE_HANDSHAKES=0")
	notThere := func(c *labtest.Conn) {
		t.Helper()
		labtest.Ask(t, c, labtest.Leave("nowhere"), labtest.J{"event": "not-in-room", "room": "nowhere"})
	}

	// A client of each door, and those that are gone for good.
	a := labtest.Open(t, v.URLOf(0), nil)
	room := labtest.Room(t)
	labtest.Ask(t, a, labtest.Create(room), labtest.Created(room))
	enter := func() *sio {
		s := v.dialSIO(t, "")
		s.event("welcome")
		s.emit("room-join", room)
		s.event("room-joined")
		a.Expect(labtest.ClientJoined(room, s.Conn))
		return s
	}
	b := enter()
	goneSIO := enter()
	b.event("client-joined")
	gone := labtest.Open(t, v.URLOf(0), nil)
	labtest.Ask(t, gone, labtest.Join(room), labtest.Joined(room, a, a, b.Conn, goneSIO.Conn))
	a.Expect(labtest.ClientJoined(room, gone))
	goneSIO.event("client-joined")
	b.event("client-joined")
	gone.Abort()
	goneSIO.Abort()
	a.ExpectSet(labtest.ClientLeft(room, gone), labtest.ClientLeft(room, goneSIO.Conn))
	b.event("client-left")
	b.event("client-left")
	other := v.dialSIO(t, "")
	other.event("welcome")

	// Both come back once, and are known to have their newer tokens.
	first, firstOffset := a.Welcome["resume"].(string), b.offset
	received := 6
	a.Abort()
	again, token := v.comesBack(t, first, a.ID, received)
	notThere(again)
	received++
	b.Abort()
	b = v.recoversSIO(t, b)
	b.emit("room-leave", "nowhere")
	b.event("not-in-room") // it has answered the ping before

	parts := strings.SplitN(token, ".", 2)
	attempts := map[string]struct {
		token    string
		received int
	}{
		"replayed":                   {first, received},
		"expired":                    {gone.Welcome["resume"].(string), 1},
		"a forged signature":         {altered(token, 5), received},
		"a forged count":             {altered(token, len(token)-strings.LastIndexByte(token, '.')+2), received},
		"another client's":           {v.alice.ID() + "." + parts[1], 0},
		"the other door's":           {b.pid, 0},
		"more than it can have":      {token, 1 << 40},
		"another server's, unsigned": {a.ID + ".gateway.0.", 0},
	}
	_, rest, _ := strings.Cut(token, ".")
	recoveries := map[string]string{
		"replayed":               recovery(b.pid, firstOffset),
		"expired":                recovery(goneSIO.pid, goneSIO.offset),
		"a forged signature":     recovery(b.pid, altered(b.offset, 5)),
		"a forged pid":           recovery(altered(b.pid, 5), b.offset),
		"another's offset":       recovery(b.pid, other.offset),
		"another's pid":          recovery(other.pid, b.offset),
		"the other door's":       recovery(b.pid, "0."+rest),
		"more than it can have":  recovery(b.pid, "zzzzzzz"+b.offset[strings.IndexByte(b.offset, '.'):]),
		"no number":              recovery(b.pid, "-1"+b.offset[strings.IndexByte(b.offset, '.'):]),
		"a pid, and no offset":   fmt.Sprintf(`{"pid":%q}`, b.pid),
		"no texts, but an array": fmt.Sprintf(`{"pid":[%q],"offset":{}}`, b.pid),
	}
	before := map[string]float64{}
	for _, result := range []string{"here", "moved", "found", "used", "ended", "mismatch", "invalid", "unavailable"} {
		before[result] = v.resumed(result)
	}
	v.during(func() {
		for range rounds {
			for name, x := range attempts {
				thief, answer := v.resume(t, x.token, x.received)
				if answer["event"] != "error" || answer["code"] != "unauthorized" {
					t.Fatalf("%s: %v", name, answer)
				}
				thief.Close()
			}
			for name, auth := range recoveries {
				thief := v.dialSIO(t, auth)
				if thief.ID == b.ID || thief.ID == other.ID || thief.ID == goneSIO.ID {
					t.Fatalf("%s: the session is taken", name)
				}
				thief.event("welcome")
				thief.Send("41") // it goes for good
				thief.Abort()
			}
		}
	})
	for result, want := range map[string]float64{
		"here": 0, "moved": 0, "found": 0, "unavailable": 0, "used": 2, "ended": 2, "mismatch": 2,
		// What has no pid that is a text asks for no session.
		"invalid": float64(len(attempts)+len(recoveries)) - 6 - 1,
	} {
		if got := v.resumed(result) - before[result]; got != want*rounds {
			t.Errorf("%s: %v attempts, want %v", result, got, want*rounds)
		}
	}

	// They have noticed nothing, signals pass between them, and their tokens are as good as before.
	notThere(again)
	b.emit("room-leave", "nowhere")
	b.event("not-in-room")
	again.Emit(labtest.Signal(room, b.ID, "are you there?"))
	if e := b.event("signal-receive"); e[2] != a.ID || e[3] != "are you there?" {
		t.Errorf("%v", e)
	}
	b.emit("signal-send", room, a.ID, "yes")
	again.Expect(labtest.Received(room, b.Conn, "yes"))
	received += 2
	again.Abort()
	last, _ := v.comesBack(t, token, a.ID, received)
	labtest.Ask(t, last, labtest.Join(room), labtest.Joined(room, a, b.Conn))
	b.Abort()
	v.recoversSIO(t, b)
	v.holds(64, 6+slack, 6+slack)
	v.recovers()
}
