package check

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	api "signalling/api/client"
)

func violations(all []History) []string {
	return append(Histories(all).Violations, Quiescent(all, Strict)...)
}

func TestTrueHistoriesPass(t *testing.T) {
	for _, drops := range []bool{false, true} {
		compared, unplaced := 0, 0
		for seed := range uint64(150) {
			all := newModel(seed, drops).run(400)
			if v := violations(all); len(v) > 0 {
				t.Fatalf("drops %v, seed %d:\n%s", drops, seed, strings.Join(v, "\n"))
			}
			r := Histories(all)
			compared, unplaced = compared+r.Compared, unplaced+r.Unplaced
		}
		t.Logf("drops %v: %d stints compared, %d unplaced", drops, compared, unplaced)
		if compared < 500 || unplaced*50 > compared || (!drops && unplaced > 0) {
			t.Errorf("drops %v: %d stints were compared and %d could not be placed", drops, compared, unplaced)
		}
	}
}

// corruptions change one true history into a false one. They return false if the history has no place for it.
var corruptions = map[string]func(rng *rand.Rand, seen []Seen) ([]Seen, bool){
	"an event is missing": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, isChange)
		if !ok {
			return nil, false
		}
		return slices.Delete(seen, i, i+1), true
	},
	"an event is told twice": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, isChange)
		if !ok {
			return nil, false
		}
		return slices.Insert(seen, i+rng.IntN(len(seen)-i), seen[i]), true
	},
	"two events are swapped": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen[:max(len(seen)-1, 0)], func(s Seen) bool {
			i := slices.Index(seen, s)
			return isChange(s) && isChange(seen[i+1]) && roomOf(s.Event) == roomOf(seen[i+1].Event)
		})
		if !ok {
			return nil, false
		}
		seen[i], seen[i+1] = seen[i+1], seen[i]
		return seen, true
	},
	"an event is in another room": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, isChange)
		if !ok {
			return nil, false
		}
		switch e := seen[i].Event.(type) {
		case *api.ClientJoined:
			seen[i].Event = &api.ClientJoined{Room: e.Room + "x", ClientID: e.ClientID}
		case *api.ClientLeft:
			seen[i].Event = &api.ClientLeft{Room: e.Room + "x", ClientID: e.ClientID}
		}
		return seen, true
	},
	"a close is missing": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, func(s Seen) bool {
			e, ok := s.Event.(*api.RoomLeft)
			return ok && e.Kicked
		})
		if !ok {
			return nil, false
		}
		return slices.Delete(seen, i, i+1), true
	},
	"a close is a leave": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, func(s Seen) bool {
			e, ok := s.Event.(*api.RoomLeft)
			return ok && e.Kicked
		})
		if !ok {
			return nil, false
		}
		seen[i] = Seen{Event: &api.RoomLeft{Room: roomOf(seen[i].Event)}}
		return seen, true
	},
	"a roster lacks a member": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		return changeRoster(rng, seen, 1, func(ids []string) []string { return ids[:len(ids)-1] })
	},
	"a roster has one too many": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		return changeRoster(rng, seen, 1, func(ids []string) []string { return append(ids, "nobody") })
	},
	"a roster is out of order": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		return changeRoster(rng, seen, 2, func(ids []string) []string {
			slices.Reverse(ids)
			return ids
		})
	},
	"a roster names another owner": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, func(s Seen) bool {
			e, ok := s.Event.(*api.RoomJoined)
			return ok && len(e.Clients) > 1
		})
		if !ok {
			return nil, false
		}
		e := *seen[i].Event.(*api.RoomJoined)
		e.OwnerID = e.Clients[len(e.Clients)-1]
		seen[i].Event = &e
		return seen, true
	},
	"a signal comes from outside": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		signal := Seen{Event: &api.SignalReceive{Room: "a", SenderID: "nobody"}}
		return slices.Insert(seen, rng.IntN(len(seen)+1), signal), true
	},
	"a member is told that it is none": func(rng *rand.Rand, seen []Seen) ([]Seen, bool) {
		i, ok := pick(rng, seen, func(s Seen) bool {
			_, ok := s.Event.(*api.RoomJoined)
			return ok
		})
		if !ok {
			return nil, false
		}
		return slices.Insert(seen, i+1, Seen{Event: &api.NotInRoom{Room: roomOf(seen[i].Event)}, Answer: true}), true
	},
}

func pick(rng *rand.Rand, seen []Seen, ok func(Seen) bool) (int, bool) {
	var candidates []int
	for i, s := range seen {
		if ok(s) {
			candidates = append(candidates, i)
		}
	}
	if len(candidates) == 0 {
		return 0, false
	}
	return candidates[rng.IntN(len(candidates))], true
}

func isChange(s Seen) bool {
	switch s.Event.(type) {
	case *api.ClientJoined, *api.ClientLeft:
		return true
	}
	return false
}

func changeRoster(rng *rand.Rand, seen []Seen, atLeast int, change func([]string) []string) ([]Seen, bool) {
	i, ok := pick(rng, seen, func(s Seen) bool {
		e, ok := s.Event.(*api.RoomJoined)
		return ok && len(e.Clients) >= atLeast
	})
	if !ok {
		return nil, false
	}
	e := *seen[i].Event.(*api.RoomJoined)
	e.Clients = change(slices.Clone(e.Clients))
	seen[i].Event = &e
	return seen, true
}

func TestFalseHistoriesFail(t *testing.T) {
	for name, corrupt := range corruptions {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for seed := range uint64(150) {
				rng := rand.New(rand.NewPCG(seed, 2))
				all := newModel(seed, false).run(200)
				i := rng.IntN(len(all))
				seen, ok := corrupt(rng, slices.Clone(all[i].Seen))
				if !ok {
					continue
				}
				tried++
				all[i].Seen = seen
				if len(violations(all)) == 0 {
					t.Errorf("seed %d: client %s was corrupted, and nothing was found", seed, all[i].Client)
				}
			}
			if tried < 15 {
				t.Errorf("only %d histories could be corrupted so", tried)
			}
		})
	}
}

// A ghost is a member whose connection has ended and that nobody was told of.
func TestGhostsAreFound(t *testing.T) {
	all := newModel(7, false).run(300)
	found := 0
	for i := range all {
		ghost := slices.Clone(all)
		ghost[i].Ended = true
		stints, _ := Fold(all[i], Strict)
		open := slices.ContainsFunc(stints, func(s *Stint) bool { return s.End == Open })
		alone := len(Quiescent(ghost, Strict)) == 0
		if open && !alone {
			found++
		}
	}
	if found == 0 {
		t.Error("no client was missed")
	}
}

// What Repaired and Revived forgive, and what they do not.
func TestRepaired(t *testing.T) {
	answer := func(e api.Event) Seen { return Seen{Event: e, Answer: true} }
	event := func(e api.Event) Seen { return Seen{Event: e} }
	member := answer(&api.RoomJoined{Room: "r", OwnerID: "o", Clients: []string{"o", "x"}})
	for name, tt := range map[string]struct {
		seen                      []Seen
		strict, repaired, revived int
	}{
		"another order": {[]Seen{
			member, event(&api.ClientJoined{Room: "r", ClientID: "y"}),
			answer(&api.RoomJoined{Room: "r", OwnerID: "o", Clients: []string{"o", "y", "x"}}),
		}, 1, 1, 0},
		"an owner that lost its room": {[]Seen{
			answer(&api.RoomCreated{Room: "r"}), event(&api.RoomLeft{Room: "r", Kicked: true}), answer(&api.RoomCreated{Room: "r"}),
		}, 2, 0, 0},
		"another member": {[]Seen{
			member, answer(&api.RoomJoined{Room: "r", OwnerID: "o", Clients: []string{"o", "y"}}),
		}, 1, 1, 1},
		"out by an answer": {[]Seen{
			member, answer(&api.NotInRoom{Room: "r"}), answer(&api.RoomCreated{Room: "r"}),
		}, 2, 0, 0},
		"twice": {[]Seen{
			member, event(&api.ClientJoined{Room: "r", ClientID: "y"}), event(&api.ClientJoined{Room: "r", ClientID: "y"}),
		}, 1, 1, 1},
		"signals out of order": {[]Seen{
			member,
			event(&api.SignalReceive{Room: "r", SenderID: "x", Data: []byte("2")}),
			event(&api.SignalReceive{Room: "r", SenderID: "o", Data: []byte("1")}),
			event(&api.SignalReceive{Room: "r", SenderID: "x", Data: []byte("1")}),
		}, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, want := range map[Mode]int{Strict: tt.strict, Repaired: tt.repaired, Revived: tt.revived} {
				if _, got := Fold(History{Client: "c", Seen: tt.seen}, mode); len(got) != want {
					t.Errorf("mode %d: violations %q, want %d", mode, got, want)
				}
			}
		})
	}
}
