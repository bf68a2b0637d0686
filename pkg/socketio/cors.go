package socketio

import (
	"net/http"
	"net/url"
	"strings"
)

// CORS for polling (engine.io-protocol v3, "Transports, XHR": the server must support CORS responses). Client 2 polls with
// credentials by default, and for those a browser takes no "*": the origin is reflected, on every answer, errors included,
// because a page cannot read an error without it.

// cors sets the CORS headers. It reports false when it has answered the request itself: a preflight, or an origin that is
// refused.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Add("Vary", "Origin") // the answers differ by origin, for caches on the way
	if !s.cfg.CheckOrigin(r) {
		errForbidden.write(w)
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return false
	}
	return true
}

// preflight answers OPTIONS. Clients cause one only when they are set to send headers of their own (extraHeaders).
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET,POST,OPTIONS")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	w.WriteHeader(http.StatusNoContent)
}

// sameOrigin is the default of Config.CheckOrigin.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
