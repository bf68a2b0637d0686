package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestALogKeepsLines(t *testing.T) {
	var mirror bytes.Buffer
	l := newLog("name", &mirror)
	for _, part := range []string{"one\ntw", "o", "\n\nthr", "ee"} {
		fmt.Fprint(l, part)
	}
	lines, _ := l.Since(0)
	if diff := cmp.Diff([]string{"one", "two", ""}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got := l.Tail(0, 2); got != "… 1 lines before\ntwo\n" {
		t.Errorf("tail %q", got)
	}
	if got := l.Tail(2, 2); got != "" {
		t.Errorf("tail %q", got)
	}
	if want := "name         one\nname         two\nname         \n"; mirror.String() != want {
		t.Errorf("mirror %q", mirror.String())
	}
}

func TestALogIsBounded(t *testing.T) {
	l := newLog("name", nil)
	const n = 2*maxLogLines + 7
	for i := range n {
		fmt.Fprintln(l, i)
	}
	if l.Position() != n {
		t.Errorf("position %d, want %d", l.Position(), n)
	}
	lines, _ := l.Since(0)
	if len(lines) > maxLogLines || lines[len(lines)-1] != fmt.Sprint(n-1) {
		t.Errorf("%d lines are kept, the last is %s", len(lines), lines[len(lines)-1])
	}
	if lines, _ := l.Since(n - 3); len(lines) != 3 {
		t.Errorf("the last 3 lines are %q", lines)
	}
}

func TestALogIsWaitedFor(t *testing.T) {
	l := newLog("name", nil)
	fmt.Fprintln(l, "x=1") // before the position
	from := l.Position()
	found := make(chan string)
	find := func(line string) (string, bool) { return strings.CutPrefix(line, "x=") }
	go func() {
		x, err := l.wait(t.Context(), from, find)
		if err != nil {
			x = err.Error()
		}
		found <- x
	}()
	fmt.Fprintln(l, "y=2")
	fmt.Fprintln(l, "x=3")
	if x := <-found; x != "3" {
		t.Errorf("found %s", x)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.wait(ctx, l.Position(), find); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestWhatNoLogMayHaveIsFound(t *testing.T) {
	l := newLog("name", nil)
	fmt.Fprint(l, "fine\nWARNING: DATA RACE\npanic: oh\nfatal error: all goroutines are asleep\n"+`{"msg":"recovered from a panic"}`+"\n")
	if bad := l.bad(0); len(bad) != 4 {
		t.Errorf("found %q", bad)
	}
	if bad := l.bad(l.Position()); len(bad) != 0 {
		t.Errorf("found %q", bad)
	}
}

func TestAddressesAreFoundInBothFormats(t *testing.T) {
	for line, want := range map[string]string{
		`{"time":"…","level":"INFO","msg":"listening","for":"clients","addr":"127.0.0.1:1"}`:       "127.0.0.1:1",
		`time=… level=INFO msg=listening for=clients addr=127.0.0.1:2 gateway=x`:                   "127.0.0.1:2",
		`{"time":"…","level":"INFO","msg":"listening","for":"admin","addr":"127.0.0.1:3"}`:         "",
		`time=… level=INFO msg=listening for=admin addr=127.0.0.1:4`:                               "",
		`{"time":"…","level":"INFO","msg":"connected to NATS","for":"clients","addr":"127.0.0.1"}`: "",
		`hello`: "",
	} {
		if got, ok := listening(forClients)(line); ok != (want != "") || (ok && got != want) {
			t.Errorf("%s: %q, %v", line, got, ok)
		}
	}
}
