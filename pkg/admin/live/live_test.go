package live_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"signalling/pkg/admin/live"
)

func serve(t *testing.T, source live.Source, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	live.Serve(mux, source)
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func answer(context.Context, url.Values) (any, error) { return map[string]string{"name": "<b>"}, nil }

// Nothing from elsewhere, nothing inline, nobody frames it, and every file says what it is.
func TestThePageHasAPolicy(t *testing.T) {
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/live.css": "text/css; charset=utf-8", "/live.js": "text/javascript; charset=utf-8",
		"/live.svg": "image/svg+xml", "/live.json": "application/json",
	} {
		w := serve(t, answer, http.MethodGet, path)
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != contentType || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s", path, w.Code, h.Get("Content-Type"))
		}
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: %q is not in its policy %q", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("X-Frame-Options") != "DENY" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			if w := serve(t, answer, method, path); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	if w := serve(t, answer, http.MethodGet, "/other"); w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
}

func TestFilesAreAskedForOnce(t *testing.T) {
	etag := serve(t, answer, http.MethodGet, "/live.js").Header().Get("ETag")
	if w := serve(t, answer, http.MethodGet, "/live.js", "If-None-Match", etag); etag == "" || w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("again: %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestWhatThePageShows(t *testing.T) {
	var asked url.Values
	w := serve(t, func(ctx context.Context, query url.Values) (any, error) {
		asked = query
		return answer(ctx, query)
	}, http.MethodGet, "/live.json?room=a%26b&prefix=x")
	if asked.Get("room") != "a&b" || asked.Get("prefix") != "x" || w.Body.String() != `{"name":"\u003cb\u003e"}`+"\n" ||
		w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", asked, w.Body)
	}
	w = serve(t, func(context.Context, url.Values) (any, error) { return nil, errors.New("not running") }, http.MethodGet, "/live.json")
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != `{"error":"not running"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
