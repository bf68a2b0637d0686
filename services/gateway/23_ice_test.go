package gateway_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	api "signalling/api/client"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
	"signalling/pkg/token"
	"signalling/services/gateway"
)

const (
	turnSecret = "what coturn calls static-auth-secret"
	iceServers = "stun:stun.example.org, turn:turn.example.org:3478?transport=udp,turns:turn.example.org"
)

// iceGateway is a gateway that knows STUN and TURN servers.
func iceGateway(t *testing.T, more ...string) *running {
	t.Helper()
	environ := map[string]string{"GATEWAY_ICE_SERVERS": iceServers, "GATEWAY_TURN_SECRET": turnSecret}
	for i := 0; i < len(more); i += 2 {
		environ[more[i]] = more[i+1]
	}
	return run(t, natstest.RunTCP(t).URL(), environ)
}

// checkServers asserts that these are the servers of iceGateway, with good credentials, and returns their user and their end.
func checkServers(t *testing.T, text json.RawMessage) (user string, ends time.Time) {
	t.Helper()
	var list []struct {
		URLs                 []string
		Username, Credential string
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list) != 2 {
		t.Fatalf("%s, %v", text, err)
	}
	if got := strings.Join(list[0].URLs, " "); got != "stun:stun.example.org" || list[0].Username+list[0].Credential != "" {
		t.Errorf("%+v", list[0])
	}
	turn := list[1]
	if got := strings.Join(turn.URLs, " "); got != "turn:turn.example.org:3478?transport=udp turns:turn.example.org" {
		t.Error(got)
	}
	mac := hmac.New(sha1.New, []byte(turnSecret))
	_, _ = io.WriteString(mac, turn.Username)
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); turn.Credential != want {
		t.Errorf("credential %q, want %q", turn.Credential, want)
	}
	when, user, _ := strings.Cut(turn.Username, ":")
	seconds, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return user, time.Unix(seconds, 0)
}

func TestICEServersInTheWelcomeAndByCommand(t *testing.T) {
	g := iceGateway(t)
	ws, _, err := g.tryDial(g.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, frame, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := api.DecodeObject(frame)
	if err != nil {
		t.Fatal(err)
	}
	welcome := e.(*api.Welcome)
	user, ends := checkServers(t, welcome.ICEServers)
	if left := time.Until(ends); user != welcome.ClientID || left < 59*time.Minute || left > time.Hour {
		t.Errorf("for %s, good for %v", user, left)
	}
	c := g.connect()
	c.say(`{"event":"ice-servers","id":5}`)
	answer := event[*api.ICEServers](c)
	if user, _ := checkServers(t, answer.ICEServers); user != c.id || answer.ExpiresIn != 3_600_000 {
		t.Errorf("for %s, good for %d ms", user, answer.ExpiresIn)
	}
}

func TestICEServersAreRenewed(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		c := w.connect()
		for range 5 {
			pass(30*time.Second - time.Millisecond)
			c.expectNothing()
			_, ends := checkServers(t, event[*api.ICEServers](c).ICEServers) // at most 15 s later
			within(t, "the next end", time.Until(ends), 59*time.Second, time.Minute)
		}
	}, tuned(t, "GATEWAY_ICE_SERVERS", iceServers, "GATEWAY_TURN_SECRET", turnSecret, "GATEWAY_TURN_TTL", "1m"))
}

func TestICEServersWithoutTURN(t *testing.T) {
	g := iceGateway(t, "GATEWAY_ICE_SERVERS", "stun:a.example.org,stuns:b.example.org:5349", "GATEWAY_TURN_SECRET", "")
	c := g.connect()
	c.say(`{"event":"ice-servers"}`)
	c.expect(&api.ICEServers{ICEServers: json.RawMessage(`[{"urls":["stun:a.example.org","stuns:b.example.org:5349"]}]`)})
	none := run(t, natstest.RunTCP(t).URL(), nil).connect()
	none.say(`{"event":"ice-servers"}`)
	none.expect(&api.ICEServers{ICEServers: json.RawMessage(`[]`)})
}

func TestICEServersForSocketIO(t *testing.T) {
	g := iceGateway(t, "GATEWAY_TURN_TTL", "2s")
	ws, _, err := g.tryDial(g.sioURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{"", "40", `42["ice-servers"]`} {
		if say != "" {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(say))
		}
		if say == `42["ice-servers"]` {
			break
		}
		if _, _, err := ws.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the answer, and the renewal
		_, frame, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		e, err := api.DecodeArray(frame[2:])
		if err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		checkServers(t, e.(*api.ICEServers).ICEServers)
	}
}

func TestICEServersByHTTP(t *testing.T) {
	g := iceGateway(t, "GATEWAY_ORIGINS", "https://app.net", "GATEWAY_AUTH_SECRET", authSecret)
	askRead := func(method, origin, bearer string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Addr().String()+"/ice-servers", nil)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := pages.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	good := tokenFor(t, token.Order{Subject: "alice"})
	resp := askRead("GET", "https://app.net", good)
	body, _ := io.ReadAll(resp.Body)
	e, _, err := api.DecodeObject(body)
	if resp.StatusCode != http.StatusOK || err != nil || resp.Header.Get("Access-Control-Allow-Origin") != "https://app.net" ||
		resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s, %v", resp.StatusCode, resp.Header, body, err)
	}
	checkServers(t, e.(*api.ICEServers).ICEServers)
	for _, c := range []struct {
		method, origin, bearer string
		want                   int
	}{
		{"GET", "", good, http.StatusOK},
		{"GET", "https://app.net", "", http.StatusUnauthorized},
		{"GET", "https://app.net", "x.y.z", http.StatusUnauthorized},
		{"GET", "https://evil.net", good, http.StatusForbidden},
		{"OPTIONS", "https://app.net", "", http.StatusNoContent},
		{"OPTIONS", "https://evil.net", "", http.StatusForbidden},
		{"POST", "https://app.net", good, http.StatusMethodNotAllowed},
	} {
		resp := askRead(c.method, c.origin, c.bearer)
		allowed := resp.Header.Get("Access-Control-Allow-Origin")
		if resp.StatusCode != c.want || (allowed != "") != (c.origin == "https://app.net") {
			t.Errorf("%+v: %d, allowed %q", c, resp.StatusCode, allowed)
		}
	}
}

func TestICESettingsThatCannotBe(t *testing.T) {
	for name, environ := range map[string]map[string]string{
		"TURN without a secret": {"GATEWAY_ICE_SERVERS": "turn:t.example.org"},
		"a secret without TURN": {"GATEWAY_ICE_SERVERS": "stun:s.example.org", "GATEWAY_TURN_SECRET": "x"},
		"two secrets":           {"GATEWAY_ICE_SERVERS": "turn:t", "GATEWAY_TURN_SECRET": "x", "GATEWAY_TURN_SECRET_FILE": "ice.go"},
		"no URL":                {"GATEWAY_ICE_SERVERS": "t.example.org"},
		"another scheme":        {"GATEWAY_ICE_SERVERS": "https://t.example.org"},
		"a user in the URL":     {"GATEWAY_ICE_SERVERS": "stun:me@s.example.org"},
		"an odd transport":      {"GATEWAY_ICE_SERVERS": "turn:t?transport=sctp", "GATEWAY_TURN_SECRET": "x"},
		"no time":               {"GATEWAY_TURN_TTL": "1s"},
	} {
		var cfg gateway.Config
		if err := conf.Parse(&cfg, conf.Options{Environ: environ}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
