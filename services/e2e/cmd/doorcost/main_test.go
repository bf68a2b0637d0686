package main

import (
	"context"
	"testing"
	"time"
)

// TestMemory notices when a Socket.IO client's memory grows away from a native one's. CPU time is for quiet machines.
func TestMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// One more page for each connection would be 1.3; the bound of 1.1 is for medians of more rounds.
	if err := run(ctx, options{rounds: 1, clients: 2000, bound: 1.25}); err != nil {
		t.Fatal(err)
	}
}
