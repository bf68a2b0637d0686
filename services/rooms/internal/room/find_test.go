package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalling/api/bus"
)

// rooms puts a client into rooms whose names are as long as names can be in a message.
func rooms(t *testing.T, p *Partition, client string, n int) {
	t.Helper()
	for i := range n {
		apply(t, p, bus.Done, create(strings.Repeat("\x01", 248)+fmt.Sprintf("%4.4s%4d", client, i), client, "g-twelvechar", uint64(i+1)))
	}
}

func find(t *testing.T, p *Partition, result bus.Result, clients ...string) bus.Answer {
	t.Helper()
	c := bus.Command{Op: bus.Find, Gateway: "h", Clients: clients}
	a := apply(t, p, result, c)
	if size := len(a.Append(nil)); size > bus.MaxPartBytes+1024 {
		t.Errorf("an answer of %d bytes", size)
	}
	return a
}

// Clients with many long names do not keep others from being found, and are found themselves.
func TestClientsInManyRoomsAreFound(t *testing.T) {
	p := New(1, Limits{})
	big := []string{"one", "two", "three"}
	asked := slices.Clone(big)
	for _, c := range big {
		rooms(t, p, c, 256)
	}
	for n := range 100 {
		c := fmt.Sprint("small", n)
		asked = append(asked, c)
		apply(t, p, bus.Done, create("room of "+c, c, "g", uint64(n+1000)))
	}
	asked = append(asked, "nobody", "one")
	a := find(t, p, bus.Partial, asked...)
	if len(a.Found) != 100+256 || len(a.Again) != 2 {
		t.Fatalf("found %d, again %q", len(a.Found), a.Again)
	}
	got := map[string]int{}
	for again := asked; len(again) > 0; again = a.Again {
		a, _ = p.Apply(&bus.Command{Op: bus.Find, Gateway: "h", Clients: again})
		if len(a.Again) == len(again) {
			t.Fatalf("no progress with %q", again)
		}
		for _, f := range a.Found {
			got[f.Client]++
		}
	}
	for _, c := range asked[3:103] {
		if got[c] != 1 {
			t.Errorf("%s was found %d times", c, got[c])
		}
	}
	for _, c := range big {
		if got[c] != 256 {
			t.Errorf("%s was found %d times", c, got[c])
		}
	}
}

// One that no message takes is named alone.
func TestAClientInTooManyRoomsIsNotFound(t *testing.T) {
	p := New(1, Limits{})
	rooms(t, p, "one", 400)
	apply(t, p, bus.Done, create("r", "two", "g", 1))
	if a := find(t, p, bus.Partial, "one", "two"); len(a.Found) != 1 || a.Found[0].Client != "two" || !slices.Equal(a.Again, []string{"one"}) {
		t.Errorf("%d, %q", len(a.Found), a.Again)
	}
	if a := find(t, p, bus.Partial, "one"); len(a.Found) != 0 || !slices.Equal(a.Again, []string{"one"}) {
		t.Errorf("%d, %q", len(a.Found), a.Again)
	}
}
