package door

import (
	"strconv"
	"sync"
	"time"

	"signalling/api/client"
	"signalling/pkg/token"
	"signalling/services/gateway/internal/hub"
)

// guard stands between a client's commands and the hub: it lets through what the client may do. What is not configured
// costs nothing. The door's reading goroutine calls it.
type guard struct {
	cfg     *Config
	session *hub.Session
	conn    hub.Conn
	claims  *token.Claims // nil without tokens
	expiry  expiry
}

// newGuard must be followed by begin, and by end when the client's connection has ended.
func newGuard(cfg *Config, claims *token.Claims) *guard { return &guard{cfg: cfg, claims: claims} }

// begin starts what depends on time.
func (g *guard) begin(s *hub.Session, c hub.Conn) {
	g.session, g.conn = s, c
	if g.claims != nil {
		g.expiry.set(g, g.claims.Expires)
	}
}

func (g *guard) end() { g.expiry.stop() }

// admit reports whether the command goes to the hub. Otherwise it has been answered.
func (g *guard) admit(c *client.Command, ref []byte) bool {
	switch c.Op {
	case client.TokenRefresh:
		g.session.Answer(ref, g.refresh(string(c.Token)))
		return false
	case client.ICEServersGet:
		g.session.Answer(ref, &client.ICEServers{ICEServers: []byte("[]")})
		return false
	}
	if g.claims != nil && g.claims.Grants != nil && !granted(g.claims.Grants, c) {
		g.session.Answer(ref, &client.Error{Code: client.Forbidden, Message: "the token does not grant this"})
		return false
	}
	return true
}

func granted(g *token.Grants, c *client.Command) bool {
	switch c.Op {
	case client.RoomCreate:
		return g.Create.Has(c.Room)
	case client.RoomJoin:
		return g.Join.Has(c.Room)
	case client.SignalSend:
		return g.Signal
	}
	return true
}

// refresh puts another token in the place of the client's. It must be the same user's.
func (g *guard) refresh(text string) client.Event {
	if g.cfg.Auth == nil {
		return &client.Error{Code: client.BadRequest, Message: "no tokens are used here"}
	}
	claims, refused := g.cfg.Auth.check(text)
	if refused != nil {
		return refused
	}
	if claims.Subject != g.claims.Subject {
		return &client.Error{Code: client.Forbidden, Message: "the token is somebody else's"}
	}
	g.claims = claims
	g.expiry.set(g, claims.Expires)
	return &client.TokenRefreshed{ExpiresIn: g.left(claims.Expires)}
}

// left is the time until a token's client is closed in ms, 0 for a token without an end.
func (g *guard) left(expires time.Time) uint64 {
	if expires.IsZero() {
		return 0
	}
	return milliseconds(time.Until(expires.Add(g.cfg.Auth.Leeway)))
}

// milliseconds rounds up, and is never 0.
func milliseconds(d time.Duration) uint64 {
	return uint64(max((d+time.Millisecond-1)/time.Millisecond, 1)) // #nosec G115 -- at least 1
}

// retryAfter is a Retry-After header for a time in ms: whole seconds, rounded up (RFC 9110 section 10.2.3).
func retryAfter(ms uint64) string { return strconv.FormatUint((ms+999)/1000, 10) }

// expiry warns a client that its token ends, and then closes it.
type expiry struct {
	mu     sync.Mutex // guards what follows
	timer  *time.Timer
	ends   time.Time
	warned bool
	over   bool
}

// set takes the end of another token, zero for none.
func (x *expiry) set(g *guard, expires time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil {
		x.timer.Stop()
	}
	if x.over || expires.IsZero() {
		x.ends = time.Time{}
		return
	}
	x.ends, x.warned = expires.Add(g.cfg.Auth.Leeway), false
	x.timer = time.AfterFunc(time.Until(x.ends)-g.cfg.Auth.Warning, func() { x.due(g) })
}

// due is called when the client is to be warned, and again at the end.
func (x *expiry) due(g *guard) {
	x.mu.Lock()
	defer x.mu.Unlock()
	left := time.Until(x.ends)
	switch {
	case x.over || x.ends.IsZero():
	case left <= 0:
		x.over = true
		g.session.Close(client.CloseTokenExpired)
	case !x.warned && left > g.cfg.Auth.Warning:
		x.timer.Reset(left - g.cfg.Auth.Warning) // a timer from before another token was set
	default:
		x.warned = true
		g.conn.Answer(nil, &client.TokenExpiring{ExpiresIn: milliseconds(left)})
		g.conn.Flush()
		x.timer.Reset(left)
	}
}

func (x *expiry) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	if x.timer != nil {
		x.timer.Stop()
	}
}
