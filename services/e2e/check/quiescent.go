package check

import (
	"fmt"
	"maps"
	"slices"
)

// Quiescent checks the views that are left when nothing happens any more: in each room all members know the same members
// in the same order, and these are exactly the clients that are there. It needs the histories of all clients.
func Quiescent(all []History, mode Mode) (violations []string) {
	rooms := map[string][]*Stint{}
	for _, h := range all {
		stints, _ := Fold(h, mode)
		for _, s := range stints {
			if s.End == Open {
				rooms[s.Room] = append(rooms[s.Room], s)
			}
		}
	}
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		violations = append(violations, roomViews(room, rooms[room], mode)...)
	}
	return violations
}

func roomViews(room string, stints []*Stint, mode Mode) (violations []string) {
	var there []string
	for _, s := range stints {
		there = append(there, s.Client)
	}
	slices.Sort(there)
	first := stints[0]
	for _, s := range stints {
		members := s.Members()
		if s.Owner != first.Owner {
			violations = append(violations, fmt.Sprintf("room %q: to %s the owner is %s, to %s it is %s",
				room, first.Client, first.Owner, s.Client, s.Owner))
		}
		if known := slices.Sorted(slices.Values(members)); !slices.Equal(known, there) {
			violations = append(violations, fmt.Sprintf("room %q: %s knows %v, there are %v", room, s.Client, known, there))
		} else if !sameOrder(s, first, mode) {
			violations = append(violations, fmt.Sprintf("room %q: the order of %s is %v, that of %s is %v",
				room, s.Client, members, first.Client, first.Members()))
		}
	}
	return violations
}

// sameOrder says whether two clients that know the same members know them in the same order.
func sameOrder(a, b *Stint, mode Mode) bool {
	if mode == Revived {
		return true
	}
	own := func(id string) bool { return mode == Repaired && (id == a.Client || id == b.Client) }
	return slices.Equal(slices.DeleteFunc(a.Members(), own), slices.DeleteFunc(b.Members(), own))
}
