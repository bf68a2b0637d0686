package abuse

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"signalling/pkg/client"
	"signalling/pkg/token"
	"signalling/services/e2e/labtest"
)

const secret = "the secret that signs the tokens of these tests"

func sign(t *testing.T, o token.Order) string {
	t.Helper()
	text, err := token.Sign([]byte(secret), o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A token that somebody has overheard is good for as long as it says, and not longer; it is good for what it says, and not for
// another service; and it cannot be slipped into another user's connection.
func TestReplayedAndSwappedTokens(t *testing.T) {
	t.Parallel()
	s := labtest.PrivateOneProcess(t, "GATEWAY_AUTH_SECRET="+secret, "GATEWAY_AUTH_AUDIENCE=calls", "GATEWAY_AUTH_LEEWAY=0s")
	calls := []string{"calls"}
	url := s.URLOf(0)
	overheard := sign(t, token.Order{Subject: "alice", Audience: calls, Lifetime: 10 * time.Second})
	alice := labtest.DialURL(t, url, &client.Options{Token: overheard})
	replayed := labtest.DialURL(t, url, &client.Options{Token: overheard})

	mallory := labtest.DialURL(t, url, &client.Options{Token: sign(t, token.Order{Subject: "mallory", Audience: calls})})
	ctx := labtest.Context(t)
	refused := func(text string, want client.Code) {
		t.Helper()
		var e *client.Error
		if _, err := mallory.RefreshToken(ctx, text); !errors.As(err, &e) || e.Code != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	refused(overheard, client.Forbidden) // alice's
	refused(sign(t, token.Order{Subject: "mallory", Audience: []string{"mail"}}), client.Unauthorized)
	for _, c := range []*client.Client{alice, replayed} {
		over := context.AfterFunc(ctx, func() { _ = c.Close() })
		for range c.Events() {
		}
		over()
		var closed *client.CloseError
		if !errors.As(c.Err(), &closed) || closed.Code != client.CloseTokenExpired {
			t.Fatalf("ended with %v", c.Err())
		}
	}
	refused(overheard, client.Unauthorized)
	for _, text := range []string{overheard, "", sign(t, token.Order{Subject: "alice", Audience: []string{"mail"}})} {
		var status *client.HandshakeError
		_, err := client.Dial(ctx, url, &client.Options{Token: text})
		if !errors.As(err, &status) || status.Status != http.StatusUnauthorized {
			t.Errorf("%v", err)
		}
	}
	if err := mallory.Create(ctx, "still here"); err != nil {
		t.Error(err)
	}
}
