package service

import (
	"os"
	"testing"
)

func TestSelf(t *testing.T) {
	r := Self()
	if r.Version != Version() || r.PID != os.Getpid() || r.Goroutines < 1 || r.Memory == 0 || r.Uptime <= 0 || r.Started.IsZero() {
		t.Errorf("%+v", r)
	}
}
