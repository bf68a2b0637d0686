package gateway_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/api/bus"
	api "signalling/api/client"
	sdk "signalling/pkg/client"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
	"signalling/pkg/token"
	"signalling/services/gateway"
)

const authSecret = "the secret of these tests, which has 32 bytes and more"

// tokenGateway is a gateway that wants tokens.
func tokenGateway(t *testing.T, nats *natstest.TCPServer, more ...string) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(authSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := map[string]string{"GATEWAY_AUTH_SECRET_FILE": file, "GATEWAY_AUTH_LEEWAY": "0s"}
	for i := 0; i < len(more); i += 2 {
		environ[more[i]] = more[i+1]
	}
	return run(t, nats.URL(), environ)
}

func tokenFor(t testing.TB, o token.Order) string {
	t.Helper()
	text, err := token.Sign([]byte(authSecret), o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func bearer(text string) http.Header { return http.Header{"Authorization": {"Bearer " + text}} }

// tryDial connects by hand.
func (g *running) tryDial(url string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	d := websocket.Dialer{Subprotocols: protocols}
	ws, resp, err := d.DialContext(ctx, url, header)
	if err == nil {
		g.t.Cleanup(func() { _ = ws.Close() })
	}
	return ws, resp, err
}

func TestWaysToBringAToken(t *testing.T) {
	g := tokenGateway(t, natstest.RunTCP(t))
	good := tokenFor(t, token.Order{Subject: "alice"})
	for name, c := range map[string]struct {
		query    string
		header   http.Header
		offer    []string
		protocol string
	}{
		"header":                {header: bearer(good)},
		"header in small":       {header: http.Header{"Authorization": {"bearer " + good}}},
		"query":                 {query: "?token=" + good},
		"query of RFC 6750":     {query: "?room=x&access_token=" + good},
		"subprotocol":           {offer: []string{"signalling.v1", "bearer." + good}, protocol: "signalling.v1"},
		"subprotocol in front":  {offer: []string{"bearer." + good, "signalling.v1"}, protocol: "signalling.v1"},
		"subprotocol by itself": {offer: []string{"bearer." + good}},
	} {
		t.Run(name, func(t *testing.T) {
			ws, resp, err := g.tryDial(g.url()+c.query, c.header, c.offer...)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != c.protocol {
				t.Errorf("subprotocol %q, want %q", got, c.protocol)
			}
			if _, frame, err := ws.ReadMessage(); err != nil || !strings.Contains(string(frame), `"welcome"`) {
				t.Errorf("%s, %v", frame, err)
			}
		})
	}
}

// Who has no good token is refused before anything is kept of it.
func TestRefusedTokens(t *testing.T) {
	g := tokenGateway(t, natstest.RunTCP(t), "GATEWAY_AUTH_AUDIENCE", "calls", "GATEWAY_AUTH_REQUIRED", "sub", "GATEWAY_ORIGINS", "https://app.net")
	calls := []string{"calls"}
	good := tokenFor(t, token.Order{Subject: "alice", Audience: calls})
	forged, err := token.Sign([]byte(strings.Repeat("x", 32)), token.Order{Subject: "alice", Audience: calls})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ token, message string }{
		"none":              {"", "a token is needed"},
		"expired":           {tokenFor(t, token.Order{Subject: "alice", Audience: calls, Lifetime: -time.Minute}), "the token has expired"},
		"forged":            {forged, "the token is not valid"},
		"changed":           {good[:len(good)-4] + "AAAA", "the token is not valid"},
		"for somebody else": {tokenFor(t, token.Order{Subject: "alice", Audience: []string{"mail"}}), "the token is not valid"},
		"without a subject": {tokenFor(t, token.Order{Audience: calls}), "the token is not valid"},
		"longer than any":   {good + strings.Repeat("x", api.MaxTokenBytes), "the token is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			// A program gets an HTTP answer.
			_, resp, err := g.tryDial(g.url(), bearer(c.token))
			if err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Fatalf("%v, %v", resp, err)
			}
			body := make([]byte, 1000)
			n, _ := resp.Body.Read(body)
			want := `{"event":"error","message":"` + c.message + `","code":"unauthorized"}` + "\n"
			if string(body[:n]) != want {
				t.Errorf("%s, want %s", body[:n], want)
			}
			// A browser gets a WebSocket that says it.
			header := bearer(c.token)
			header.Set("Origin", "https://app.net")
			ws, _, err := g.tryDial(g.url(), header)
			if err != nil {
				t.Fatal(err)
			}
			if _, frame, err := ws.ReadMessage(); err != nil || string(frame)+"\n" != want {
				t.Errorf("%s, %v", frame, err)
			}
			_, _, err = ws.ReadMessage()
			if !websocket.IsCloseError(err, int(api.CloseUnauthorized)) {
				t.Errorf("%v", err)
			}
			_ = ws.Close()
			header.Set("Origin", "https://evil.net")
			if _, resp, _ := g.tryDial(g.url(), header); resp == nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("a foreign page: %v", resp)
			}
		})
	}
	if n := g.Hub().Sessions(); n != 0 {
		t.Errorf("%d sessions", n)
	}
	var refused *sdk.HandshakeError
	if _, err := sdk.Dial(t.Context(), g.url(), nil); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("the SDK says %v", err)
	}
}

func TestWhatATokenGrants(t *testing.T) {
	nats := natstest.RunTCP(t)
	g := tokenGateway(t, nats)
	o := ownerOn(t, nats, g)
	c := g.dialToken(tokenFor(t, token.Order{Grants: &token.Grants{
		Create: &token.Rooms{Names: []string{lobby}}, Join: &token.Rooms{Prefixes: []string{"team-7/"}},
	}}))
	forbidden := &api.Error{Message: "the token does not grant this", Code: api.Forbidden}
	c.do(api.RoomCreate, "team-7/x", "1")
	c.expectID("1", forbidden)
	c.do(api.RoomJoin, lobby, "2")
	c.expectID("2", forbidden)
	c.signalID(lobby, c, "1", "3")
	c.expectID("3", forbidden)
	c.leave(lobby)
	c.expect(notIn(lobby)) // leaving is always allowed
	c.create(lobby)
	o.result(o.expectCommand(bus.Create, lobby, c), bus.Exists)
	c.expect(exists(lobby))
	c.join("team-7/x")
	o.result(o.expectCommand(bus.Join, "team-7/x", c), bus.NotExists)
	c.expect(&api.RoomNotExists{Room: "team-7/x"})
}

// dialToken connects with a token in the URL.
func (g *running) dialToken(text string) *client {
	g.t.Helper()
	return dial(g.t, g.url()+"?token="+text, (&net.Dialer{}).DialContext)
}

func (c *client) refresh(text, id string) {
	cmd := api.Command{Op: api.TokenRefresh, Token: []byte(text), ID: []byte(id)}
	c.out <- cmd.AppendObject(nil)
}

// event takes the next frame, which must be an event of this type.
func event[E api.Event](c *client) (e E) {
	c.t.Helper()
	frame := c.next()
	got, _, err := api.DecodeObject([]byte(frame))
	e, ok := got.(E)
	if err != nil || !ok {
		c.t.Fatalf("%s, %v: want %T", frame, err, e)
	}
	return e
}

// dialToken lets a client in that has a token.
func (w *world) dialToken(text string) *client {
	w.t.Helper()
	return dial(w.t, "ws://gateway/ws?token="+text, w.pipes.dial)
}

func TestATokenThatEnds(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		c := w.dialToken(tokenFor(t, token.Order{Subject: "alice", Lifetime: 5 * time.Minute}))
		pass(4*time.Minute - time.Millisecond)
		c.expectNothing()
		pass(time.Millisecond)
		c.expect(&api.TokenExpiring{ExpiresIn: 60_000})
		pass(time.Minute - time.Millisecond)
		c.leave(lobby)
		c.expect(notIn(lobby))
		pass(time.Millisecond)
		c.expectClose(api.CloseTokenExpired)
		settle()
		if w.hub.Sessions() != 0 {
			t.Error("the session is still there")
		}
	}, tuned(t, "GATEWAY_AUTH_SECRET", authSecret, "GATEWAY_AUTH_LEEWAY", "0s"))
	if !api.CloseTokenExpired.Reconnect() {
		t.Error("a client with another token may come back")
	}
}

func TestATokenIsRefreshed(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		c := w.dialToken(tokenFor(t, token.Order{Subject: "alice", Lifetime: 2 * time.Minute, Grants: &token.Grants{}}))
		pass(time.Minute)
		c.expect(&api.TokenExpiring{ExpiresIn: 60_000})
		c.create(lobby)
		c.expect(&api.Error{Message: "the token does not grant this", Code: api.Forbidden})

		c.refresh("forged", "1")
		c.expectID("1", &api.Error{Message: "the token is not valid", Code: api.Unauthorized})
		c.refresh(tokenFor(t, token.Order{Subject: "bob"}), "2")
		c.expectID("2", &api.Error{Message: "the token is somebody else's", Code: api.Forbidden})
		c.refresh(tokenFor(t, token.Order{Subject: "alice", Lifetime: 5 * time.Minute}), "3")
		c.expectID("3", &api.TokenRefreshed{ExpiresIn: 300_000})
		c.create(lobby) // the new token grants it
		w.owner.result(w.owner.expectCommand(bus.Create, lobby, c), bus.Exists)
		c.expect(exists(lobby))
		pass(2 * time.Minute) // the first token is over
		c.expectNothing()
		c.refresh(tokenFor(t, token.Order{Subject: "alice"}), "4")
		c.expectID("4", &api.TokenRefreshed{})
		pass(5 * time.Minute) // and the second, too
		c.leave(lobby)
		c.expect(notIn(lobby))
	}, tuned(t, "GATEWAY_AUTH_SECRET", authSecret, "GATEWAY_AUTH_LEEWAY", "0s"))
}

func TestNoTokensAreUsed(t *testing.T) {
	g := run(t, natstest.RunTCP(t).URL(), nil)
	c := g.dialToken("x")
	c.refresh("x", "1")
	c.expectID("1", &api.Error{Message: "no tokens are used here", Code: api.BadRequest})
}

// A gateway is not open to strangers unless somebody has said so.
func TestAGatewayIsNotOpenByAccident(t *testing.T) {
	nats := natstest.RunTCP(t)
	key := map[string]string{"GATEWAY_AUTH_SECRET": authSecret}
	for _, c := range []struct {
		listen string
		extra  map[string]string
		want   string
	}{
		{":0", nil, "GATEWAY_AUTH=open"},
		{"0.0.0.0:0", nil, "GATEWAY_AUTH=open"},
		{"[::]:0", nil, "GATEWAY_AUTH=open"},
		{":0", map[string]string{"GATEWAY_AUTH": "open"}, ""},
		{":0", key, ""},
		{"127.0.0.1:0", nil, ""},
		{"127.0.0.2:0", nil, ""},
		{"localhost:0", nil, ""},
		{"127.0.0.1:0", map[string]string{"GATEWAY_AUTH": "tokens"}, "needs one of"},
		{"127.0.0.1:0", map[string]string{"GATEWAY_AUTH": "closed"}, "must be tokens or open"},
		{"127.0.0.1:0", map[string]string{"GATEWAY_AUTH": "open", "GATEWAY_AUTH_SECRET": authSecret}, "contradict"},
		{"127.0.0.1:0", map[string]string{"GATEWAY_AUTH_SECRET": "too short a secret"}, "32 at least"},
		{"127.0.0.1:0", map[string]string{"GATEWAY_AUTH_KEY_FILE": "/nonexistent"}, "GATEWAY_AUTH_KEY_FILE"},
	} {
		environ := map[string]string{"GATEWAY_LISTEN": c.listen}
		maps.Copy(environ, c.extra)
		g, err := fromSettings(t, nats.URL(), environ)
		if g != nil {
			start(t, g).stop()
		}
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, conf.ErrInvalid) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %v: %v, want %q", c.listen, c.extra, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "too short a secret") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

// What the process starts, or dumps, does not have the secrets in its environment.
func TestSecretsLeaveTheEnvironment(t *testing.T) {
	t.Setenv("GATEWAY_AUTH_SECRET", authSecret)
	t.Setenv("GATEWAY_TURN_SECRET", turnSecret)
	t.Setenv("GATEWAY_ICE_SERVERS", iceServers)
	var cfg gateway.Config
	if err := conf.Parse(&cfg, conf.Options{}); err != nil || cfg.Auth.Secret != authSecret || cfg.ICE.Secret != turnSecret {
		t.Fatalf("%q, %q, %v", cfg.Auth.Secret, cfg.ICE.Secret, err)
	}
	for _, name := range []string{"GATEWAY_AUTH_SECRET", "GATEWAY_TURN_SECRET"} {
		if _, there := os.LookupEnv(name); there {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestTokensOfTheSocketIODoor(t *testing.T) {
	g := tokenGateway(t, natstest.RunTCP(t))
	good := tokenFor(t, token.Order{Subject: "alice"})
	for name, c := range map[string]struct{ query, auth, want string }{
		"in auth":       {"", `{"token":"` + good + `"}`, `40{"sid":`},
		"in the query":  {"&token=" + good, "", `40{"sid":`},
		"auth wins":     {"&token=" + good, `{"token":"x"}`, `44{"message":"the token is not valid","data":{"event":"error",`},
		"none":          {"", "", `44{"message":"a token is needed","data":{"event":"error",`},
		"not a text":    {"", `{"token":{"x":1}}`, `44{"message":"a token is needed"`},
		"forged":        {"", `{"token":"x.y.z"}`, `44{"message":"the token is not valid"`},
		"v2, none":      {"&EIO=3", "", `44{"event":"error","message":"a token is needed","code":"unauthorized"}`},
		"v2, the query": {"&EIO=3&token=" + good, "", `40`},
	} {
		t.Run(name, func(t *testing.T) {
			eio := "&EIO=4"
			if strings.Contains(c.query, "EIO") {
				eio = ""
			}
			ws, _, err := g.tryDial(strings.TrimSuffix(g.url(), "/ws")+"/socket.io/?transport=websocket"+eio+c.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, open, err := ws.ReadMessage()
			if err != nil || open[0] != '0' {
				t.Fatalf("%s, %v", open, err)
			}
			if eio != "" {
				_ = ws.WriteMessage(websocket.TextMessage, []byte("40"+c.auth))
			}
			_, got, err := ws.ReadMessage()
			if err != nil || !strings.HasPrefix(string(got), c.want) {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
}
