package room

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalling/api/bus"
)

// rebuild is a takeover: a new owner knows only what is announced. A gateway may have died with the old one.
func (w *world) rebuild() {
	if rapid.IntRange(0, 2).Draw(w.T, "gateway dies") == 0 {
		g := w.replica()
		w.lives++
		w.replicas[g.nth] = newReplica(g.nth, w.lives)
	}
	quiet := w.quiet()
	var all []*bus.Announce
	for _, g := range w.replicas {
		all = append(all, g.announcement(true))
	}
	epoch := w.p.Epoch() + uint64(rapid.IntRange(1, 3).Draw(w.T, "epochs"))
	w.p = Rebuild(epoch, testLimits, rapid.Permutation(all).Draw(w.T, "order"))
	before := w.rooms
	w.rooms, w.last = w.expectRebuilt(all), map[string]uint64{}
	for _, name := range keys(w.rooms) {
		r := w.p.rooms[name]
		if r == nil {
			w.Fatalf("%q is lost", name)
		}
		w.record(name, bus.Stamp{Epoch: epoch, Version: r.version})
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Version >= r.version {
					w.Fatalf("%q goes on at %d, it was announced at %d", name, r.version, ar.Version)
				}
			}
		}
		if quiet && w.rooms[name].String() != before[name].String() {
			w.Fatalf("%q was %s and is %s, though everyone knew it", name, before[name], w.rooms[name])
		}
	}
	if quiet && len(before) != len(w.rooms) {
		w.Fatalf("%d rooms became %d, though everyone knew them", len(before), len(w.rooms))
	}
	for i, g := range w.replicas {
		if rapid.Bool().Draw(w.T, "corrected later") {
			w.underway = append(w.underway, underway{g, all[i]})
		} else {
			w.compare(g, all[i])
		}
	}
}

// quiet says whether every gateway knows everything: then a takeover changes nothing.
func (w *world) quiet() bool {
	for _, g := range w.replicas {
		if len(g.pending) > 0 {
			return false
		}
		for name, held := range g.held {
			for client := range held {
				if r := w.rooms[name]; r == nil || r.find(client) < 0 {
					return false
				}
			}
		}
	}
	for name, r := range w.rooms {
		for _, m := range r.members {
			i := slices.IndexFunc(w.replicas, func(g *replica) bool { return g.id == m.gateway })
			if i < 0 || !w.replicas[i].holds(name, m.client) || w.replicas[i].views[name] == nil || rosterString(w.replicas[i].views[name]) != r.String() {
				return false
			}
		}
	}
	return true
}

// expectRebuilt is the union of what was announced, as documented at Rebuild.
func (w *world) expectRebuilt(all []*bus.Announce) map[string]*modelRoom {
	rooms := map[string]*modelRoom{}
	for _, name := range names {
		var born bus.Stamp
		var owner string
		var view bus.Stamp
		var policy modelPolicy
		var waiting *modelMember
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Room == name && len(ar.Members) > 0 && born.Less(ar.Born) {
					born = ar.Born
				}
			}
		}
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Room != name || len(ar.Members) == 0 || ar.Born != born {
					continue
				}
				if owner == "" || view.Less(ar.Stamp) {
					owner, view = ar.Owner, ar.Stamp
				}
				if ar.Policy != nil && policy.since.Less(ar.Policy.Since) {
					policy = w.policies[name][ar.Policy.Since]
				}
			}
		}
		type entry struct {
			modelMember
			since uint64
		}
		var entries []entry
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Room != name {
					continue
				}
				if slices.Contains(ar.Unsettled, owner) {
					waiting = &modelMember{owner, a.Gateway, 0}
				}
				if ar.Born == born {
					for _, m := range ar.Members {
						entries = append(entries, entry{modelMember{m.Client, a.Gateway, m.Seq}, m.Since})
					}
				}
			}
		}
		if !slices.ContainsFunc(entries, func(e entry) bool { return e.client == owner }) {
			switch {
			case len(entries) == 0 || (waiting == nil && policy.lost == bus.CloseOnLoss):
				continue
			case waiting != nil:
				entries = append(entries, entry{*waiting, born.Version})
			default:
				owner += " is lost"
			}
		}
		slices.SortFunc(entries, func(a, b entry) int {
			if c := cmp.Compare(a.since-1, b.since-1); c != 0 { // 0 comes last
				return c
			}
			return strings.Compare(a.client, b.client)
		})
		r := &modelRoom{owner: owner, policy: policy}
		if lost, ok := strings.CutSuffix(owner, " is lost"); ok && policy.lost == bus.Transfer {
			r.owner = entries[0].client
		} else if ok {
			r.owner, r.waiting = lost, notBegun
		}
		for _, e := range entries {
			if e.since == born.Version {
				r.creator = e.client
			}
			r.members = append(r.members, e.modelMember)
		}
		rooms[name] = r
	}
	return rooms
}

// settleAll lets every gateway finish what it has begun and compare; then each view must be the truth.
func (w *world) settleAll() {
	for len(w.underway) > 0 {
		w.arrive()
	}
	for range 3 { // an answer may be lost again
		for _, g := range w.replicas {
			for _, key := range keys(g.pending) {
				w.send(g, g.pending[key])
			}
		}
	}
	for _, g := range w.replicas {
		clear(g.pending)
		w.announce(g, true)
	}
	w.repair()
	for _, g := range w.replicas {
		w.announce(g, true)
		for name, held := range g.held {
			r := w.rooms[name]
			if r == nil || g.views[name] == nil || rosterString(g.views[name]) != r.String() {
				w.Fatalf("%s sees %q as %+v, it is %s", g.id, name, g.views[name], r)
			}
			for client := range held {
				if r.find(client) < 0 {
					w.Fatalf("%s holds %s in %q: %s", g.id, client, name, r)
				}
			}
		}
	}
	for name, r := range w.rooms {
		for _, m := range r.members {
			i := slices.IndexFunc(w.replicas, func(g *replica) bool { return g.id == m.gateway })
			if i < 0 || !w.replicas[i].holds(name, m.client) {
				w.Fatalf("nobody holds %s of %q", m.client, name)
			}
		}
	}
}

// digest checks that the digest names the present version of every room that changed, and that Forget forgets.
func (w *world) digest() {
	changed := map[string]uint64{}
	for _, d := range w.p.Changed(3) {
		if d.Partition != 3 || d.Epoch != w.p.Epoch() {
			w.Fatalf("digest %+v", d)
		}
		for _, r := range d.Rooms {
			changed[r.Room] = r.Version
			if current := w.rooms[r.Room]; r.Closed != (current == nil || current.version > r.Version) {
				w.Fatalf("digest %+v of %+v", r, current)
			}
		}
	}
	for name, version := range changed {
		if version > w.last[name] {
			w.Fatalf("digest says %d of %q, its last version is %d", version, name, w.last[name])
		}
	}
	w.p.Forget()
	if len(w.p.Changed(3)) > 0 {
		w.Fatalf("not forgotten")
	}
}

// check compares the partition with the model, and every view with what was true at its stamp.
func (w *world) check() {
	members := 0
	for name, r := range w.p.rooms {
		roster := w.p.roster(r)
		if w.rooms[name] == nil || rosterString(&roster) != w.rooms[name].String() {
			w.Fatalf("%q is %s, want %s", name, rosterString(&roster), w.rooms[name])
		}
		if !slices.IsSortedFunc(r.members, func(a, b bus.Member) int { return int(a.Since) - int(b.Since) }) {
			w.Fatalf("%q is not in join order: %+v", name, r.members)
		}
		if r.version > w.p.counter {
			w.Fatalf("%q is at %d, the counter at %d", name, r.version, w.p.counter)
		}
		if w.p.waits(r) != (w.rooms[name].waiting != 0) {
			w.Fatalf("%q waits for its owner: %v", name, w.p.waits(r))
		}
		members += len(r.members)
	}
	held := 0
	for id, h := range w.p.holders {
		for r, n := range h.rooms {
			if n <= 0 || r.closed || w.p.rooms[r.name] != r {
				w.Fatalf("%s is said to have %d members in %q", id, n, r.name)
			}
			held += n
		}
	}
	if len(w.p.rooms) != len(w.rooms) || w.p.Members() != members || held != members || w.p.Rooms() != len(w.rooms) {
		w.Fatalf("%d rooms, %d members, %d held; %d rooms, %d members are right", w.p.Rooms(), w.p.Members(), held, len(w.rooms), members)
	}
	for _, g := range w.replicas {
		for name, v := range g.views {
			if got, want := rosterString(v), w.truth[name][v.Stamp]; got != want {
				w.Fatalf("%s sees %q at %v as %s, it was %s", g.id, name, v.Stamp, got, want)
			}
		}
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"":               func(*rapid.T) { w.repair(); w.check() },
			"command":        func(*rapid.T) { w.command() },
			"another":        func(*rapid.T) { w.command() },
			"yet another":    func(*rapid.T) { w.command() },
			"repeat":         func(*rapid.T) { w.repeat() },
			"give up":        func(*rapid.T) { w.giveUp() },
			"evict":          func(*rapid.T) { w.evict() },
			"announce":       func(*rapid.T) { w.announce(w.replica(), true) },
			"announce late":  func(*rapid.T) { w.announceLater() },
			"arrive":         func(*rapid.T) { w.arrive() },
			"announce a few": func(*rapid.T) { w.announce(w.replica(), false, rapid.SampledFrom(names).Draw(w.T, "room")) },
			"rebuild":        func(*rapid.T) { w.rebuild() },
			"expire":         func(*rapid.T) { w.expire() },
			"close":          func(*rapid.T) { w.close() },
			"digest":         func(*rapid.T) { w.digest() },
			"settle":         func(*rapid.T) { w.settleAll() },
		})
		w.settleAll()
		w.repair()
		w.check()
	})
}
