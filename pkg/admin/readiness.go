package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// CheckTimeout is how long all checks of one request for /readyz have
// together, before their context ends.
const CheckTimeout = 2 * time.Second

// Check tells whether something that new work needs is there: nil, or an
// error that says what is missing. It must return when ctx ends, and may be
// called from several goroutines at once.
type Check func(ctx context.Context) error

// readiness is what /readyz answers from. Its zero value is not ready.
type readiness struct {
	mu       sync.Mutex // guards the fields below
	checks   []namedCheck
	started  bool
	draining bool
}

type namedCheck struct {
	name  string
	check Check
}

// status is the body of both answers.
type status struct {
	Status string `json:"status"` // "ok" or "unavailable"

	// Reasons maps the names of failed checks to what they said.
	Reasons map[string]string `json:"reasons,omitempty"`
}

// AddCheck adds a check under a name that is shown with its failure. A check
// of the same name is replaced.
func (r *readiness) AddCheck(name string, check Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.checks {
		if r.checks[i].name == name {
			r.checks[i].check = check
			return
		}
	}
	r.checks = append(r.checks, namedCheck{name, check})
}

// SetStarted lets /readyz say what the checks say. It is to be called when all
// of them are there and new work may come: until then the process is not
// ready, whoever asks how early.
func (r *readiness) SetStarted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
}

// SetDraining makes /readyz fail, whatever the checks say, so that no new
// work is sent to a process about to stop.
func (r *readiness) SetDraining() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// NotReady returns why the process is not ready, by name of the check; nil
// means it is. While it starts or drains, that is the one reason, and the
// checks are not asked.
func (r *readiness) NotReady(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()

	r.mu.Lock()
	started, draining, checks := r.started, r.draining, append([]namedCheck(nil), r.checks...)
	r.mu.Unlock()
	switch {
	case draining:
		return map[string]string{"draining": "the process is about to stop"}
	case !started:
		return map[string]string{"starting": "the process has only begun"}
	}
	var reasons map[string]string
	for _, c := range checks {
		if err := c.check(ctx); err != nil {
			if reasons == nil {
				reasons = map[string]string{}
			}
			reasons[c.name] = err.Error()
		}
	}
	return reasons
}

// serveReady is GET /readyz: 200, or 503 and the reasons.
func (r *readiness) serveReady(w http.ResponseWriter, req *http.Request) {
	if reasons := r.NotReady(req.Context()); reasons != nil {
		writeJSON(w, http.StatusServiceUnavailable, status{Status: "unavailable", Reasons: reasons})
		return
	}
	writeJSON(w, http.StatusOK, status{Status: "ok"})
}

func writeJSON(w http.ResponseWriter, code int, body status) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller went away: nobody is left to tell
}
