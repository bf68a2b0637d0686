package contract

import (
	"maps"
	"testing"

	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// J is a frame as its fields.
type J = labtest.J

type (
	site = labtest.Site
	conn = labtest.Conn
)

// The frames of the contract, by short names.
var (
	create, join, leave, signal = labtest.Create, labtest.Join, labtest.Leave, labtest.Signal
	created, exists, notExists  = labtest.Created, labtest.Exists, labtest.NotExists
	left, kicked, joined        = labtest.Left, labtest.Kicked, labtest.Joined
	clientJoined, clientLeft    = labtest.ClientJoined, labtest.ClientLeft
	received, ask, meet         = labtest.Received, labtest.Ask, labtest.Meet
)

func notInRoom(room string) J { return J{"event": "not-in-room", "room": room} }

func targetNotFound(room, target string) J {
	return J{"event": "target-not-found", "room": room, "targetId": target}
}

func refused(code string) J {
	return J{"event": "error", "message": labtest.AnyText, "code": code}
}

// with returns the frame with one more field.
func with(frame J, name string, value any) J {
	all := J{name: value}
	maps.Copy(all, frame)
	return all
}
