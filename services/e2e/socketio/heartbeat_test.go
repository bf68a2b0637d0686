package socketio

import (
	"testing"
	"time"

	"signalling/services/e2e/labtest"
)

// TestHeartbeats freezes one process of clients and leaves another in peace. The frozen ones, whose connections stay open,
// are dropped when interval and timeout have passed, those of version 2 after their upgrade too; the others stay, though
// they have nothing to say.
func TestHeartbeats(t *testing.T) {
	const interval, timeout = time.Second, 5 * time.Second
	s := labtest.PrivateOneProcess(t, "GATEWAY_PING_INTERVAL="+interval.String(), "GATEWAY_PING_TIMEOUT="+timeout.String(),
		"GATEWAY_COMMAND_TIMEOUT="+(timeout/2).String())
	frozen, idle := newDriver(t), newDriver(t)
	witness := labtest.Open(t, s.URLOf(0), nil)
	room := s.Room()
	witness.Emit(J{"event": "room-create", "room": room})
	witness.Expect(J{"event": "room-created", "room": room})
	enter := func(d *driver) (all []*nodeClient, ids map[string]string) {
		ids = map[string]string{}
		for _, k := range kinds {
			c := d.open(t, k, urlOf(s, 0))
			c.joins(room)
			witness.Expect(J{"event": "client-joined", "room": room, "clientId": c.ID()})
			all, ids[c.ID()] = append(all, c), room
		}
		return all, ids
	}
	stay, _ := enter(idle)
	leave, ids := enter(frozen)
	for _, c := range leave {
		c.settled()
	}
	frozen.freeze()
	began := time.Now()
	expectLeft(t, witness, ids)
	// The bound is generous: what it must catch is a timer that has been lost, and never fires.
	if took := time.Since(began); took < timeout-interval || took > 5*(interval+timeout) {
		t.Errorf("frozen clients were dropped after %s, with an interval of %s and a timeout of %s", took, interval, timeout)
	}
	witness.ExpectNothing()
	for _, c := range stay {
		c.settled()
	}
}
