package door

import (
	"time"

	"signalling/api/client"
)

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

// expiry warns a client that its token ends, and then closes it.
type expiry struct {
	alarm
	ends   time.Time
	warned bool
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
		g.session.Load().Close(client.CloseTokenExpired)
	case !x.warned && left > g.cfg.Auth.Warning:
		x.timer.Reset(left - g.cfg.Auth.Warning) // a timer from before another token was set
	default:
		x.warned = true
		g.session.Load().Notify(&client.TokenExpiring{ExpiresIn: milliseconds(left)})
		x.timer.Reset(left)
	}
}
