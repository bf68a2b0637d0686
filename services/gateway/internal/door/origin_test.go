package door

import (
	"net/http/httptest"
	"testing"
)

func TestOrigins(t *testing.T) {
	const host = "signal.example.org:8443"
	for _, c := range []struct {
		name   string
		list   []string
		host   string
		origin string
		want   bool
	}{
		{"no origin: not a browser", nil, host, "", true},
		{"own host", nil, host, "https://signal.example.org", true},
		{"own host, another port", nil, host, "http://signal.example.org:3000", true},
		{"own host in capitals", nil, host, "HTTPS://SIGNAL.example.ORG", true},
		{"own host without a port", nil, "signal.example.org", "https://signal.example.org", true},
		{"own IPv6 host", nil, "[::1]:8080", "http://[::1]:3000", true},
		{"own IPv6 host without a port", nil, "[::1]", "http://[::1]", true},
		{"another host", nil, host, "https://example.org", false},
		{"a host that begins with ours", nil, host, "https://signal.example.org.evil.net", false},
		{"a host that ends with ours", nil, host, "https://evil-signal.example.org", false},
		{"a user that looks like ours", nil, host, "https://signal.example.org@evil.net", false},
		{"a file, or a sandboxed frame", nil, host, "null", false},
		{"no URL", nil, host, "https://%zz", false},
		{"empty host on both sides", nil, "", "https://", false},

		{"any", []string{"*"}, host, "https://evil.net", true},
		{"any takes null", []string{"*"}, host, "null", true},
		{"listed", []string{"https://app.example.net"}, host, "https://app.example.net", true},
		{"listed with capitals, spaces and a slash", []string{" https://App.example.net/ "}, host, "https://app.example.net", true},
		{"listed, another scheme", []string{"https://app.example.net"}, host, "http://app.example.net", false},
		{"listed, another port", []string{"https://app.example.net"}, host, "https://app.example.net:444", false},
		{"listed with its port", []string{"https://app.example.net:444"}, host, "https://app.example.net:444", true},
		{"the second of the list", []string{"https://a.net", "https://b.net"}, host, "https://b.net", true},
		{"empty entries mean nothing", []string{"", " "}, host, "https://a.net", false},
		{"pattern", []string{"https://*.example.net"}, host, "https://a.example.net", true},
		{"pattern takes deeper names", []string{"https://*.example.net"}, host, "https://a.b.example.net", true},
		{"pattern wants a name", []string{"https://*.example.net"}, host, "https://example.net", false},
		{"pattern ends where it ends", []string{"https://*.example.net"}, host, "https://a.example.net.evil.net", false},
		{"pattern takes no path", []string{"https://*.example.net"}, host, "https://evil.net/a.example.net", false},
		{"pattern for ports", []string{"http://localhost:*"}, host, "http://localhost:5173", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := NewOrigins(c.list)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/ws", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if got := o.Allowed(r); got != c.want {
				t.Errorf("origin %q at %q: allowed %v, want %v", c.origin, c.host, got, c.want)
			}
		})
	}
}

func TestOriginsThatCannotBe(t *testing.T) {
	for _, entry := range []string{"app.example.net", "*.example.net", "https://[a", "null"} {
		if _, err := NewOrigins([]string{"https://fine.net", entry}); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}
