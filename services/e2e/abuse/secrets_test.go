package abuse

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"signalling/pkg/client"
	"signalling/pkg/token"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
	"signalling/services/e2e/natskeys"
)

// No secret is in any log at debug level: not those of the settings, not tokens, good or bad, wherever clients put them, not
// credentials that were given out.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	site, err := natscluster.New(l, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx := labtest.BuildContext(t)
	if err := site.Start(ctx); err != nil {
		t.Fatal(err)
	}
	turnFile := filepath.Join(t.TempDir(), "turn")
	const turnSecret, natsPassword = "a TURN secret that nobody may see", "a-password-in-a-url"
	if err := os.WriteFile(turnFile, []byte(turnSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	debug := []string{"LOG_LEVEL=debug"}
	env := []string{
		"LOG_LEVEL=debug", "GATEWAY_AUTH_SECRET=" + secret, "GATEWAY_TURN_SECRET_FILE=" + turnFile,
		"GATEWAY_ICE_SERVERS=turn:turn.example.org",
	}
	plain, err := l.NATS("plain", 0)
	if err != nil {
		t.Fatal(err)
	}
	withPassword := strings.Replace(lab.NATSURL(plain), "nats://", "nats://somebody:"+natsPassword+"@", 1)
	processes := []*lab.Process{
		plain, site.Rooms("rooms", debug...), site.Gateway("gateway", env...),
		l.Rooms("rooms with a password", withPassword, debug...), l.Gateway("gateway with a password", withPassword, env...),
	}
	for _, p := range processes {
		if err := p.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	secrets := []string{secret, turnSecret, natsPassword}
	for _, service := range []string{natskeys.Gateway, natskeys.Rooms} {
		seed, err := os.ReadFile(site.Key(service))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, strings.TrimSpace(string(seed)))
	}
	for _, gateway := range []*lab.Process{processes[2], processes[4]} {
		url, err := lab.ClientURL(ctx, gateway)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, talk(t, url)...)
	}
	natsToo := []*lab.Process{processes[1], processes[2], processes[3], processes[4]}
	for _, p := range natsToo {
		lines, _ := p.Log().Since(0)
		if len(lines) < 3 {
			t.Fatalf("%s has hardly said anything: %q", p.Name, lines)
		}
		for _, line := range lines {
			for _, s := range secrets {
				if strings.Contains(line, s) {
					t.Errorf("%s logs %q: %s", p.Name, s, line)
				}
			}
		}
	}
}

const (
	roomPassword = "the password of a room"
	ownerKey     = "the key of an owner"
	signalData   = "what nobody but the target may read"
)

// talk says secrets to a gateway in every way there is, and returns them.
func talk(t *testing.T, url string) (secrets []string) {
	t.Helper()
	ctx := labtest.Context(t)
	good := sign(t, token.Order{Subject: "alice"})
	bad := good[:len(good)-8] + "AAAAAAAA"
	for _, text := range []string{good, bad} {
		secrets = append(secrets, text)
		for _, way := range []struct {
			url    string
			header http.Header
		}{
			{url, http.Header{"Authorization": {"Bearer " + text}}},
			{url, http.Header{"Authorization": {"Bearer " + text}, "Origin": {"http://127.0.0.1"}}},
			{url + "?token=" + text, nil},
			{url, http.Header{"Sec-WebSocket-Protocol": {"signalling.v1, bearer." + text}}},
			{strings.Replace(url, "/ws", "/socket.io/?EIO=3&transport=websocket&token="+text, 1), nil},
			{strings.Replace(url, "/ws", "/socket.io/?EIO=9&transport=websocket&token="+text, 1), nil},
			{strings.Replace(url, "/ws", "/ice-servers?token="+text, 1), nil},
		} {
			ws, resp, err := websocket.DefaultDialer.DialContext(ctx, way.url, way.header)
			if resp != nil {
				_ = resp.Body.Close()
			}
			if err == nil {
				_, _, _ = ws.ReadMessage()
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"event":"token-refresh","token":"`+text+`"}`))
				_, _, _ = ws.ReadMessage()
				_ = ws.Close()
			}
		}
	}
	for _, command := range []string{
		`{"event":"room-create","room":"secrets","options":{"password":"` + roomPassword + `","ownerKey":"` + ownerKey + `"}}`,
		`{"event":"room-join","room":"secrets","password":"` + roomPassword + `"}`,
		`{"event":"room-join","room":"secrets","password":"wrong ` + roomPassword + `","ownerKey":"wrong ` + ownerKey + `"}`,
		`{"event":"room-join","room":7,"password":"` + roomPassword + `"}`,
		`{"event":"signal-send","room":"secrets","targetId":"x","data":"` + signalData + `"}`,
	} {
		raw := labtest.Open(t, url+"?token="+good, nil)
		raw.Send(command)
		raw.NextText()
		raw.Close()
	}
	secrets = append(secrets, roomPassword, ownerKey, signalData)
	c := labtest.DialURL(t, url, &client.Options{Token: good})
	e, err := c.ICEServers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Credential string }
	if err := json.Unmarshal(e.ICEServers, &list); err != nil || len(list) != 1 || list[0].Credential == "" {
		t.Fatalf("%s, %v", e.ICEServers, err)
	}
	return append(secrets, list[0].Credential)
}
