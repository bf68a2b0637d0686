package door

import (
	"strconv"
	"sync/atomic"
	"time"

	"signalling/api/client"
	"signalling/pkg/limit"
	"signalling/pkg/token"
	"signalling/services/gateway/internal/hub"
)

// guard stands between a client's commands and the hub: it lets through what the client may do. What is not configured
// costs nothing. The door's reading goroutine calls it.
type guard struct {
	cfg     *Config
	session atomic.Pointer[hub.Session]
	buckets *buckets      // nil without limits
	claims  *token.Claims // nil without tokens
	place   *place        // among the clients of its address; nil if those are not counted
	expiry  expiry
	renewal renewal
	idle    *idle // nil if clients may be idle
}

// newGuard must be followed by bind and begin, and by end when the client's connection has ended.
func newGuard(cfg *Config, claims *token.Claims, p *place) *guard {
	g := &guard{cfg: cfg, claims: claims, place: p}
	if cfg.Limits != nil {
		g.buckets = new(buckets)
	}
	return g
}

// display is the display identity that the client's token gives it, "" if that is not asked for.
func (g *guard) display() string {
	if g.claims == nil {
		return ""
	}
	return g.claims.Display
}

// bind says whose guard it is.
func (g *guard) bind(s *hub.Session) { g.session.Store(s) }

// begin starts what depends on time, and may send.
func (g *guard) begin() {
	if g.claims != nil {
		g.expiry.set(g, g.claims.Expires)
	}
	if l := g.cfg.Limits; l != nil && (l.FirstCommand > 0 || l.Idle > 0) {
		g.idle = startIdle(g.cfg.clock, l, &g.session)
	}
}

func (g *guard) end() {
	g.expiry.stop()
	g.renewal.stop()
	g.idle.stop()
	g.place.leave()
}

// admit reports whether the command, which came in so many bytes, goes to the hub. Otherwise it has been answered.
func (g *guard) admit(c *client.Command, ref []byte, size int) bool {
	if g.buckets != nil && !g.count(c.Op, ref, size) {
		return false
	}
	switch c.Op {
	case client.TokenRefresh:
		g.session.Load().Answer(ref, g.refresh(string(c.Token)))
		return false
	case client.ICEServersGet:
		g.session.Load().Answer(ref, g.iceServers())
		return false
	}
	if g.claims != nil && g.claims.Grants != nil && !granted(g.claims.Grants, c) {
		g.session.Load().Answer(ref, &client.Error{Code: client.Forbidden, Message: "the token does not grant this"})
		return false
	}
	return true
}

// bad answers a message that is no command.
func (g *guard) bad(ref []byte, e *client.Error, size int) {
	if g.buckets == nil || g.count(0, ref, size) {
		g.session.Load().Answer(ref, e)
	}
}

// count counts a message, and answers it if it is too much.
func (g *guard) count(op client.Op, ref []byte, size int) bool {
	now := limit.Now()
	g.idle.seen(now)
	e := g.cfg.Limits.take(g.buckets, now, op, size)
	if e == nil {
		return true
	}
	g.session.Load().Answer(ref, e)
	g.tooMuch(now)
	return false
}

// tooMuch closes a client that goes on after it was told to wait.
func (g *guard) tooMuch(now time.Duration) {
	l := g.cfg.Limits
	if l.Refusals.Take(&g.buckets.refusals, now, 1) > 0 {
		l.Count(KindClosed)
		g.session.Load().Close(client.CloseRateLimited)
	}
}

// ping reports whether a ping of the client is to be answered.
func (g *guard) ping() bool {
	if g.buckets == nil {
		return true
	}
	now := limit.Now()
	if pings.Take(&g.buckets.pings, now, 1) == 0 {
		return true
	}
	g.cfg.Limits.Count(KindPings)
	g.tooMuch(now)
	return false
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

// milliseconds rounds up, and is never 0.
func milliseconds(d time.Duration) uint64 {
	return uint64(max((d+time.Millisecond-1)/time.Millisecond, 1)) // #nosec G115 -- at least 1
}

// retryAfter is a Retry-After header for a time in ms: whole seconds, rounded up (RFC 9110 section 10.2.3).
func retryAfter(ms uint64) string { return strconv.FormatUint((ms+999)/1000, 10) }
