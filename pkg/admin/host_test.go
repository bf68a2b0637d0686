package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A page whose name has become 127.0.0.1 reads nothing; those who ask by address or localhost, and probes by whatever name, do.
func TestForeignNamesOfALoopbackAddress(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		listen, host, path string
		code               int
	}{
		{"127.0.0.1:8081", "127.0.0.1:8081", "/live.json", 200},
		{"127.0.0.1:8081", "localhost:9000", "/live.json", 200}, // by a tunnel
		{"127.0.0.1:8081", "LOCALHOST", "/", 200},
		{"127.0.0.1:8081", "[::1]:8081", "/", 200},
		{"127.0.0.1:8081", "[::1]", "/", 200},
		{"127.0.0.1:8081", "", "/", 200},
		{"[::1]:8081", "127.0.0.1:8081", "/", 200},
		{"localhost:8081", "localhost:8081", "/", 200},
		{"127.0.0.1:8081", "evil.example:8081", "/live.json", 421},
		{"127.0.0.1:8081", "evil.example", "/log/level", 421},
		{"[::1]:8081", "evil.example:8081", "/debug/pprof/heap", 421},
		{"localhost:8081", "localhost.evil.example:8081", "/", 421},
		{"127.0.0.1:8081", "127.0.0.1.evil.example:8081", "/", 421},
		{"127.0.0.1:8081", "machine:8081", "/metrics", 200},
		{"127.0.0.1:8081", "machine:8081", "/healthz", 200},
		{"127.0.0.1:8081", "machine:8081", "/readyz", 200},
		{":8081", "gateway-1:8081", "/live.json", 200}, // the names of services
		{"0.0.0.0:8081", "gateway-1:8081", "/live.json", 200},
		{"10.0.0.1:8081", "gateway-1:8081", "/live.json", 200},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		guard(c.listen, ok).ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("%s on %s, path %s: %d, want %d", c.host, c.listen, c.path, w.Code, c.code)
		}
	}
}
