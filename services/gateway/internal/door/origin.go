package door

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Origins says from which web pages browsers may connect. Programs that are no browsers send no Origin and are not asked.
type Origins struct {
	any      bool
	patterns []string
}

// NewOrigins takes a list of origins: "https://app.example.org", with "*" for parts of it ("https://*.example.org"), or a
// lone "*" for every page. Pages of the host that the gateway itself was reached at, at whatever port, may always connect.
func NewOrigins(list []string) (*Origins, error) {
	o := new(Origins)
	var errs []error
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		switch _, err := path.Match(entry, ""); {
		case entry == "":
		case entry == "*":
			o.any = true
		case err != nil || !strings.Contains(entry, "://"):
			errs = append(errs, fmt.Errorf("%q is no origin: want scheme://host, * for parts of it, or *", entry))
		default:
			o.patterns = append(o.patterns, strings.TrimSuffix(entry, "/"))
		}
	}
	return o, errors.Join(errs...)
}

// Allowed reports whether the request may come in (RFC 6454, RFC 6455 section 10.2).
func (o *Origins) Allowed(r *http.Request) bool {
	origin := strings.ToLower(r.Header.Get("Origin"))
	if origin == "" || o.any {
		return true
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && u.Hostname() == hostname(r.Host) {
		return true
	}
	for _, p := range o.patterns {
		if ok, _ := path.Match(p, origin); ok {
			return true
		}
	}
	return false
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}
