package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// A message that NATS does not take is never sent, so people are told.
func TestAMessageThatIsTooLargeIsLogged(t *testing.T) {
	e := started(t)
	var log bytes.Buffer
	e.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if e.publish("x", make([]byte, e.nc.MaxPayload()+1)) || e.counters.unsent != 1 || !strings.Contains(log.String(), "subject=x") {
		t.Errorf("unsent %d, logged %q", e.counters.unsent, log.String())
	}
	if !e.publish("x", []byte("y")) || e.counters.unsent != 1 {
		t.Errorf("unsent %d", e.counters.unsent)
	}
}
