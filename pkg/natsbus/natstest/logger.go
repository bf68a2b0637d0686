package natstest

import (
	"log/slog"
	"sync"
	"testing"
)

// Logger logs to the test's output from level info on, and nowhere once the
// test has ended.
func Logger(t testing.TB) *slog.Logger {
	t.Helper()
	w := &testWriter{t: t}
	t.Cleanup(w.close)
	return slog.New(slog.NewTextHandler(w, nil))
}

// testWriter passes whole lines to t.Log.
type testWriter struct {
	mu sync.Mutex // guards t, and t.Log against the end of the test
	t  testing.TB // nil after close
}

// Write implements io.Writer.
func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", p[:max(len(p)-1, 0)])
	}
	return len(p), nil
}

func (w *testWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}
