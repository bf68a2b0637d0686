package socketio

import (
	"testing"

	"signalling/services/e2e/labtest"
)

// TestSignalsDuringTheUpgrade lets two clients that have just connected by polling send to each other at once, while both
// upgrade to WebSocket: nothing is lost, told twice or overtaken.
func TestSignalsDuringTheUpgrade(t *testing.T) {
	const signals = 200
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		for _, version := range []int{4, 3, 2} {
			k := kind{version, byDefault}
			t.Run(k.String(), func(t *testing.T) {
				t.Parallel()
				room := s.Room()
				a, b := d.open(t, k, urlOf(s, 0)), d.open(t, k, urlOf(s, 1))
				meet(t, room, a, b)
				for i := range signals {
					a.emit("signal-send", room, b.ID(), i)
					b.emit("signal-send", room, a.ID(), i)
				}
				for i := range signals {
					b.expect("signal-receive", room, a.ID(), i)
					a.expect("signal-receive", room, b.ID(), i)
				}
				a.expectNothing()
				b.expectNothing()
				a.settled()
				b.settled()
			})
		}
	})
}
