package door

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- what TURN servers take; as an HMAC it is sound (RFC 6151)
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
)

// ICE are the ICE servers that clients are told of. Nil means none.
type ICE struct {
	// STUN and TURN are URLs (RFC 7064, RFC 7065).
	STUN, TURN []string
	// Secret is shared with the TURN servers, of which the credentials are made by what is called the TURN REST API
	// (draft-uberti-behave-turn-rest-00; coturn: use-auth-secret).
	Secret []byte
	// TTL is how long credentials are good. New ones are sent after three quarters of it at the latest.
	TTL time.Duration
}

// server is an RTCIceServer (WebRTC 1.0 section 4.2.4).
type server struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// event names the servers, with credentials for a client of this id.
func (c *ICE) event(id string) *client.ICEServers {
	list := []server{}
	e := new(client.ICEServers)
	if c != nil && len(c.STUN) > 0 {
		list = append(list, server{URLs: c.STUN})
	}
	if c.expires() {
		ends := time.Now().Add(c.TTL)
		name := strconv.FormatInt(ends.Unix(), 10) + ":" + id
		mac := hmac.New(sha1.New, c.Secret)
		_, _ = mac.Write([]byte(name))
		list = append(list, server{c.TURN, name, base64.StdEncoding.EncodeToString(mac.Sum(nil))})
		e.ExpiresIn = milliseconds(c.TTL)
	}
	e.ICEServers, _ = json.Marshal(list) // strings always can be
	return e
}

// expires says whether there are credentials, which end.
func (c *ICE) expires() bool { return c != nil && len(c.TURN) > 0 }

// renewal sends a client new credentials before the former ones end.
type renewal struct{ alarm }

// iceServers returns the servers for the client, which is told again before their credentials end.
func (g *guard) iceServers() *client.ICEServers {
	if g.cfg.ICE.expires() {
		g.renewal.start(g)
	}
	return g.cfg.ICE.event(g.session.Load().ID())
}

// start counts from now: between half and three quarters of the time, so that clients that came together are not told
// together.
func (r *renewal) start(g *guard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ttl := g.cfg.ICE.TTL
	pause := ttl/2 + rand.N(ttl/4) // #nosec G404 -- jitter
	switch {
	case r.over:
	case r.timer == nil:
		r.timer = time.AfterFunc(pause, func() {
			g.session.Load().Notify(g.iceServers())
		})
	default:
		r.timer.Reset(pause)
	}
}

// ICEServers answers GET with the ICE servers, for applications that do not speak to a door themselves. It wants what the doors
// want: an origin that may come, a token where tokens are used, and not too many requests.
func ICEServers(cfg Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if !cfg.Origins.Allowed(r) {
			refuse(w, http.StatusForbidden, &client.Error{Code: client.Forbidden, Message: "pages of this origin may not ask"})
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		switch r.Method {
		case http.MethodOptions: // a token in a header makes browsers ask before
			h.Set("Access-Control-Allow-Methods", "GET")
			h.Set("Access-Control-Allow-Headers", "Authorization")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodGet:
		default:
			h.Set("Allow", "GET, OPTIONS")
			refuse(w, http.StatusMethodNotAllowed, &client.Error{Code: client.BadRequest, Message: "ask with GET"})
			return
		}
		if e := cfg.addresses.handshake(cfg.Proxies.client(r)); e != nil {
			refuse(w, http.StatusTooManyRequests, e)
			return
		}
		if _, e := cfg.Auth.check(tokenOf(r)); e != nil {
			refuse(w, http.StatusUnauthorized, e)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write(append(client.AppendObject(nil, cfg.ICE.event(bus.NewClientID()), nil), '\n'))
	})
}
