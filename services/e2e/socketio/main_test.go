package socketio

import (
	"fmt"
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// J is an object of JSON.
type J = map[string]any

// kind is a client as its user would set it up.
type kind struct {
	version    int    // the major version of socket.io-client
	transports string // one of the constants below
}

const (
	byDefault = "default" // polling, then upgrade: what a client does that is given nothing but the URL
	websocket = "websocket"
	polling   = "polling"
)

// kinds are all versions with all transports.
var kinds = func() (all []kind) {
	for _, version := range []int{4, 3, 2} {
		for _, transports := range []string{byDefault, websocket, polling} {
			all = append(all, kind{version, transports})
		}
	}
	return all
}()

func (k kind) String() string { return fmt.Sprintf("client%d-%s", k.version, k.transports) }

// options are those of the client's constructor. The pause before it connects again is the only default that is changed.
func (k kind) options() J {
	o := J{"reconnectionDelay": 50, "reconnectionDelayMax": 200}
	if k.transports != byDefault {
		o["transports"] = []string{k.transports}
	}
	return o
}

// first is the transport on which a session begins, last the one on which it ends up.
func (k kind) first() string {
	if k.transports == websocket {
		return websocket
	}
	return polling
}

func (k kind) last() string {
	if k.transports == polling {
		return polling
	}
	return websocket
}

// forEachKind runs a test for all kinds of clients, at the same time: they spend it waiting for each other.
func forEachKind(t *testing.T, f func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			f(t, k)
		})
	}
}

// urlOf is what a page would give to io(): the address of the i-th gateway.
func urlOf(s *labtest.Site, i int) string {
	return "http" + strings.TrimSuffix(strings.TrimPrefix(s.URLOf(i), "ws"), "/ws")
}
