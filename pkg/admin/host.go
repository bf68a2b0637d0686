package admin

import (
	"net"
	"net/http"
	"strings"
)

// byName are the paths that are answered whatever the server is called: they are for probes and Prometheus, and show nobody's
// names.
var byName = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// guard keeps pages of other sites from reading a server that is on loopback, which their own browser reaches: a name of theirs
// that changes its address to 127.0.0.1 (DNS rebinding) makes them one origin with it. The browser still says that name. An address
// that is open to others has the names that others give it, and is not guarded: it has to be kept from strangers anyway.
func guard(listen string, next http.Handler) http.Handler {
	own, _, err := net.SplitHostPort(listen)
	if err != nil || !loopback(own) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !byName[r.URL.Path] && !ownHost(r.Host, own) {
			http.Error(w, "this address has no such name: ask by its IP address, or localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback says whether a host to listen on can be reached from this machine only.
func loopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// ownHost says whether the Host of a request is an IP address, localhost, or the host that is listened on. Programs that are no
// browsers may say none.
func ownHost(host, own string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	return host == "" || strings.EqualFold(host, "localhost") || strings.EqualFold(host, own) || net.ParseIP(host) != nil
}
