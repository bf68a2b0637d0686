package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalling/pkg/token"
)

func call(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(in), &out)
	return out.String(), err
}

func TestMakeAndCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	secret, err := call(t, "", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := call(t, "", "make", "-secret", file, "-sub", "alice", "-for", "0", "-join", "a", "-join", "b", "-create-prefix", "t/", "-signal")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Subject":"alice","Expires":"0001-01-01T00:00:00Z",` +
		`"Grants":{"create":{"prefixes":["t/"]},"join":{"names":["a","b"]},"signal":true}}` + "\n"
	for _, args := range [][]string{{"check", "-secret", file}, {"check", "-secret", file, strings.TrimSpace(text)}} {
		if got, err := call(t, text, args...); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	shown, err := call(t, "", "make", "-secret", file, "-for", "0", "-claim", "name=Alice = A", "-claim", "plan=x", "-claim", "bad=a\tb")
	if err != nil {
		t.Fatal(err)
	}
	for claim, want := range map[string]string{"name": "Alice = A", "none": "", "bad": ""} {
		got, err := call(t, shown, "check", "-secret", file, "-require", "plan", "-display", claim)
		if claim == "bad" {
			if !errors.Is(err, token.ErrDisplay) {
				t.Errorf("%s, %v", got, err)
			}
		} else if err != nil || strings.Contains(got, `"Display":"`+want+`"`) != (want != "") {
			t.Errorf("%s: %s, %v", claim, got, err)
		}
	}
	if _, err := call(t, text, "check", "-secret", file, "-aud", "x"); !errors.Is(err, token.ErrInvalid) {
		t.Error(err)
	}
	expired, _ := call(t, "", "make", "-secret", file, "-for", "-1h")
	if _, err := call(t, expired, "check", "-secret", file); !errors.Is(err, token.ErrExpired) {
		t.Error(err)
	}
	for _, args := range [][]string{{}, {"x"}, {"make"}, {"make", "-secret", file, "-key", file}, {"check"}, {"make", "-secret", "/nonexistent"}, {"make", "-secret", file, "-claim", "name"}} {
		if out, err := call(t, "", args...); err == nil {
			t.Errorf("%v: %s", args, out)
		}
	}
}
