package labtest

import (
	"testing"
	"time"

	"signalling/pkg/client"
)

// Expect waits for an event that a client of the Go SDK is told of, and passes over others.
func Expect[E client.Event](t *testing.T, c *client.Client, want func(E) bool) {
	t.Helper()
	timeout := time.After(Patience)
	for {
		select {
		case m, ok := <-c.Events():
			if !ok {
				t.Fatalf("%s: the connection ended: %v", c.ID(), c.Err())
			}
			if e, ok := m.Event.(E); ok && want(e) {
				return
			}
		case <-timeout:
			t.Fatalf("%s: no %T came that fits", c.ID(), *new(E))
		}
	}
}
