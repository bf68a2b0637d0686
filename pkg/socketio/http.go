package socketio

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"signalling/pkg/wsock"
)

// Transports, as in the transport parameter of requests.
const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"
)

// query is what the server reads of a request's query string (engine.io-protocol v4 "Query parameters", v3 "URLs").
type query struct {
	eio       string
	transport string
	sid       string
	base64    bool // b64: no binary answers to polls, EIO=3 only
	jsonp     bool // j: the answer shall be JavaScript, a relic of browsers without CORS
}

func readQuery(u *url.URL) query {
	get := func(name string) string {
		value, _ := parameter(u.RawQuery, name)
		return value
	}
	b64 := get("b64")
	_, jsonp := parameter(u.RawQuery, "j")
	return query{
		eio:       get("EIO"),
		transport: get("transport"),
		sid:       get("sid"),
		base64:    b64 != "" && b64 != "0",
		jsonp:     jsonp,
	}
}

// parameter returns the first value of a name, as url.ParseQuery finds it, without making a map for each request.
func parameter(query, name string) (value string, found bool) {
	for pair := range strings.SplitSeq(query, "&") {
		if strings.Contains(pair, ";") {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			return value, true
		}
	}
	return "", false
}

// version is the Engine.IO version asked for, 0 for any that is not served.
func (q *query) version() int {
	switch q.eio {
	case "4":
		return eio4
	case "3":
		return eio3
	}
	return 0
}

// refusal is an answer that refuses a request, in the form of the JavaScript server.
type refusal struct {
	status  int
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The refusals. Codes 0 to 5 are those of the JavaScript server.
var (
	errTransport   = &refusal{http.StatusBadRequest, 0, "Transport unknown"}
	errUnknownSID  = &refusal{http.StatusBadRequest, 1, "Session ID unknown"}
	errMethod      = &refusal{http.StatusBadRequest, 2, "Bad handshake method"}
	errBadRequest  = &refusal{http.StatusBadRequest, 3, "Bad request"}
	errForbidden   = &refusal{http.StatusForbidden, 4, "Forbidden"}
	errVersion     = &refusal{http.StatusBadRequest, 5, "Unsupported protocol version"}
	errSlowBody    = &refusal{http.StatusRequestTimeout, 3, "Request body took too long"}
	errBodyTooBig  = &refusal{http.StatusRequestEntityTooLarge, 3, "Payload too large"}
	errTooMany     = &refusal{http.StatusServiceUnavailable, 3, "Too many sessions on polling"}
	errUnavailable = &refusal{http.StatusServiceUnavailable, 3, "Server is shutting down"}
)

// write answers the request with the refusal.
func (e *refusal) write(w http.ResponseWriter) {
	body, _ := json.Marshal(e) // a struct of an int and a string
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// ServeHTTP serves every request of the protocol: handshakes, polls, posts, upgrades and CORS preflights. It does not look
// at the path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.cors(w, r) {
		return
	}
	q := readQuery(r.URL)
	if e := s.check(&q, r); e != nil {
		e.write(w)
		return
	}
	if q.sid == "" {
		if s.cfg.CheckHandshake != nil && !s.cfg.CheckHandshake(w, r) {
			return
		}
		s.handshake(w, r, &q)
		return
	}
	session := s.find(q.sid)
	if session == nil {
		errUnknownSID.write(w)
		return
	}
	session.serveHTTP(w, r, &q)
}

// check refuses requests that no session can serve.
func (s *Server) check(q *query, r *http.Request) *refusal {
	switch {
	case q.transport != transportWebSocket && (q.transport != transportPolling || !s.cfg.Polling):
		return errTransport
	case q.version() == 0:
		return errVersion
	case q.jsonp:
		return errBadRequest
	case q.transport == transportWebSocket && !wsock.IsUpgrade(r):
		return errBadRequest
	case q.sid == "" && r.Method != http.MethodGet:
		return errMethod
	case q.sid == "" && s.isClosing():
		return errUnavailable
	}
	return nil
}

// serveHTTP serves a request that names this session. The session keeps to the version it began with, and one that runs
// on a WebSocket has no polling any more.
func (s *Session) serveHTTP(w http.ResponseWriter, r *http.Request, q *query) {
	switch {
	case q.version() != s.EIO():
		errBadRequest.write(w)
	case q.transport == transportWebSocket:
		s.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		s.servePoll(w, r, q.base64)
	case r.Method == http.MethodPost:
		s.servePost(w, r)
	default:
		errBadRequest.write(w)
	}
}
