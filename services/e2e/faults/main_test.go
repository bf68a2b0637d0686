package faults

import (
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// J is a frame as its fields.
type J = labtest.J

type conn = labtest.Conn

// The frames of the contract, by short names.
var (
	create, join, leave        = labtest.Create, labtest.Join, labtest.Leave
	created, exists, notExists = labtest.Created, labtest.Exists, labtest.NotExists
	left, kicked, joined       = labtest.Left, labtest.Kicked, labtest.Joined
	clientJoined, clientLeft   = labtest.ClientJoined, labtest.ClientLeft
	received, ask, meet        = labtest.Received, labtest.Ask, labtest.Meet
)

func signal(room string, target *conn, data any) J { return labtest.Signal(room, target.ID, data) }

// unavailable is the answer of a gateway whose rooms service does not answer.
var unavailable = J{"event": "error", "message": labtest.AnyText, "code": "unavailable"}

// stillThere checks that nobody was dropped and nothing was told meanwhile: each member, asked again, knows all others, and
// that answer is the next frame that it gets. Members are in join order, the owner first.
func stillThere(t *testing.T, room string, members ...*conn) {
	t.Helper()
	for i, m := range members {
		others := append(append([]*conn(nil), members[:i]...), members[i+1:]...)
		ask(t, m, join(room), joined(room, members[0], others...))
	}
}

// chat checks that signals pass between each two members.
func chat(t *testing.T, room string, members ...*conn) {
	t.Helper()
	for i, from := range members {
		for j, to := range members {
			from.Emit(signal(room, to, 10*i+j))
			to.Expect(received(room, from, 10*i+j))
		}
	}
}

// others are the clients of a room-joined.
func others(frame J) []any {
	ids, _ := frame["clients"].([]any)
	return ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restart kills a process and starts it again.
func restart(t *testing.T, p *lab.Process) {
	t.Helper()
	must(t, p.Kill())
	must(t, p.Start(labtest.Context(t)))
}

// took logs how long something took.
func took(t *testing.T, what string, since time.Time) {
	t.Helper()
	t.Logf("%s: %v", what, time.Since(since).Round(time.Millisecond))
}
