package door

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"signalling/api/client"
	"signalling/pkg/token"
)

// Auth says who may come in. Nil lets everybody in.
type Auth struct {
	// Verifier checks tokens; without a good one nobody comes in.
	Verifier *token.Verifier
	// Leeway is how long after a token's end its client is closed, as far as clocks may differ.
	Leeway time.Duration
	// Warning is how long before that the client is told.
	Warning time.Duration
	Logger  *slog.Logger
}

// check returns what a token says, nil without Auth. The error is for the client.
func (a *Auth) check(text string) (*token.Claims, *client.Error) {
	if a == nil {
		return nil, nil
	}
	var claims *token.Claims
	err := token.ErrInvalid
	if len(text) <= client.MaxTokenBytes {
		claims, err = a.Verifier.Verify(text)
	}
	if err == nil {
		return claims, nil
	}
	a.Logger.Debug("token refused", "error", err) // it says why, and never the token
	for _, public := range []error{token.ErrMissing, token.ErrExpired, token.ErrDisplay} {
		if errors.Is(err, public) {
			return nil, &client.Error{Code: client.Unauthorized, Message: public.Error()}
		}
	}
	return nil, &client.Error{Code: client.Unauthorized, Message: token.ErrInvalid.Error()}
}

// tokenOf finds the token of a request: in Authorization (RFC 6750 section 2.1), in an entry "bearer.TOKEN" of
// Sec-WebSocket-Protocol, or in the URL as "token" or "access_token" (section 2.3), which logs of proxies may keep.
func tokenOf(r *http.Request) string {
	if scheme, rest, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for entry := range strings.SplitSeq(line, ",") {
			if text, ok := strings.CutPrefix(strings.TrimSpace(entry), client.BearerPrefix); ok {
				return text
			}
		}
	}
	if !strings.Contains(r.URL.RawQuery, "token=") {
		return ""
	}
	q := r.URL.Query()
	if text := q.Get("token"); text != "" {
		return text
	}
	return q.Get("access_token")
}

// tokenIn finds the token in a Socket.IO client's auth object.
func tokenIn(auth json.RawMessage) string {
	if len(auth) == 0 {
		return ""
	}
	var o struct{ Token json.RawMessage }
	var text string
	if json.Unmarshal(auth, &o) != nil || json.Unmarshal(o.Token, &text) != nil {
		return ""
	}
	return text
}

// refuse answers a request that does not become a client: an error event as JSON.
func refuse(w http.ResponseWriter, status int, e *client.Error) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer") // RFC 6750 section 3
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(client.AppendObject(nil, e, nil), '\n')) // #nosec G705 -- JSON, and the client's own connection
}
