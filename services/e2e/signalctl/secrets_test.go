package signalctl

import (
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"signalling/api/bus"
	"signalling/pkg/client"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natskeys"
)

// Nothing that operators are shown has a secret: not a password or a key of a room, nor the proof or the salted hash that stands
// for one on the bus, nor a client's token, nor a key of a service.
func TestNoSecretIsShown(t *testing.T) {
	s := start(t)
	ctx := labtest.Context(t)
	const password, ownerKey, room = "a password that nobody may see", "an owner's key that nobody may see", "secrets"
	owner, member := s.dial(0), s.dial(1)
	url, err := lab.ClientURL(ctx, s.gateways[0])
	must(t, err)
	raw := labtest.Open(t, url+"?access_token="+s.tokens[0], nil)
	resume, _ := raw.Welcome["resume"].(string)
	if resume == "" {
		t.Fatalf("no token to resume with: %v", raw.Welcome)
	}
	tail, endTail := s.follow("tail", "-json", room)
	human, endHuman := s.follow("tail", room)
	eventually(t, "the tail begins", func() bool { return strings.Contains(human.String(), "no such room yet") })
	must(t, owner.CreateWith(ctx, room, &client.RoomOptions{Password: new(password), OwnerKey: new(ownerKey), OnOwnerLost: client.TransferRoom}))
	raw.Emit(labtest.J{"event": "room-join", "room": room, "password": password})
	_, err = member.JoinWith(ctx, room, client.Entry{Password: password})
	must(t, err)
	// A change makes an event that carries the policy with all its hashes.
	const other = "another password that nobody may see"
	_, err = owner.Update(ctx, room, client.RoomOptions{Password: new(other), Locked: new(true)})
	must(t, err)
	eventually(t, "the tails tell of the change", func() bool {
		return strings.Contains(tail.String(), `"updated"`) && strings.Contains(human.String(), "updated")
	})

	secrets := []string{secret, password, ownerKey, other, "nobody may see"}
	for _, text := range []string{password, ownerKey, other} {
		secrets = append(secrets, bus.Proof(room, text))
	}
	secrets = append(secrets, s.tokens...)
	secrets = append(secrets, resume)
	for _, holder := range []string{natskeys.Admin, natskeys.Gateway, natskeys.Rooms} {
		seed, err := os.ReadFile(s.nats.Key(holder))
		must(t, err)
		secrets = append(secrets, strings.TrimSpace(string(seed)))
	}
	shown := ""
	for _, args := range [][]string{
		{"status"},
		{"gateways"},
		{"partitions"},
		{"rooms"},
		{"rooms", "-largest"},
		{"room", room},
		{"client", owner.ID()},
		{"client", member.ID()},
		{"ping"},
		{"kick", member.ID(), "-room", room},
	} {
		shown += s.run(0, args...).out
		if args[0] != "kick" {
			shown += s.run(0, append(args, "-json")...).out
		}
	}
	must(t, errors.Join(endTail(), endHuman()))
	shown += tail.String() + human.String()
	for _, p := range append(append([]*lab.Process{}, s.rooms...), s.gateways...) {
		addr, err := lab.AdminAddr(ctx, p)
		must(t, err)
		for _, path := range []string{"/", "/live.json", "/live.json?room=" + room, "/live.json?prefix=sec"} {
			shown += get(t, "http://"+addr+path)
		}
	}
	if n := strings.Count(shown, room); n < 10 {
		t.Errorf("the room is shown %d times only:\n%s", n, shown)
	}
	for _, text := range secrets {
		if strings.Contains(shown, text) {
			t.Errorf("%q is shown", text)
		}
	}
	if hash := longWord.FindString(shown); hash != "" {
		t.Errorf("what may be a hash is shown: %q", hash)
	}
}

// longWord is how the salted hashes of a policy look: 16 bytes of salt and 32 of a hash in base64. Nothing else that is shown
// is a word of that length.
var longWord = regexp.MustCompile(`[A-Za-z0-9+/]{60,}`)

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := (&http.Client{Timeout: labtest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, resp.Status)
	}
	return string(body)
}
