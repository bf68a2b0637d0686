package linear

import (
	"cmp"
	"slices"
	"time"
)

// Check decides about the operations on one room, which does not exist before them.
//
// Trying orders takes too long where many operations are under way at once, as they are when a service is away. But a room
// has little that its clients share: whether it exists, and who owns it. While that stays as it is, each client's operations
// change nothing but its own membership, and have no order among those of others. So what is tried is only when the room
// was created and closed; beside it, for each client alone, is noted every state in which it can be. All of that is followed
// from return to return: an operation that returns must have taken effect.
//
// A client whose session lasts can leave many operations behind of which nothing is ever known, or little. All of one effect are
// as good as each other, so they are used in the order in which they end. Of two states that are the same otherwise, only that
// one is followed that has used less of what need not take effect, or more of what changes nothing. What still takes too long is
// Undecided.
func Check(ops []Op) Verdict { return check(ops, maxEffort) }

func check(ops []Op, effort int) Verdict {
	d := &decider{ops: ops, clients: map[string]int{}, left: effort}
	calls, returns := make([]int, len(ops)), []int{}
	for i := range ops {
		calls[i] = i
		if returning(&ops[i]) {
			returns = append(returns, i)
		}
	}
	slices.SortStableFunc(calls, func(a, b int) int { return cmp.Compare(ops[a].Call, ops[b].Call) })
	slices.SortStableFunc(returns, func(a, b int) int { return cmp.Compare(ops[a].Return, ops[b].Return) })
	d.worlds = []*world{{owner: nobody}}
	for _, r := range returns {
		for len(calls) > 0 && ops[calls[0]].Call <= ops[r].Return {
			if !d.call(calls[0]) {
				return Undecided
			}
			calls = calls[1:]
		}
		if !d.explore() {
			return Undecided
		}
		if d.returned(r); d.exhausted() {
			return Undecided
		}
		if len(d.worlds) == 0 {
			return Impossible
		}
	}
	return Possible
}

// returning says whether there is a time after which an operation cannot take effect any more.
func returning(o *Op) bool { return o.Return != Forever && o.Result != Unknown }

const (
	nobody = -1
	// maxWorlds and maxEffort, in comparisons, bound the search: the latter to some ten seconds. Real histories need some hundred
	// worlds, and mostly less than a second.
	maxWorlds = 20_000
	maxEffort = 500_000_000
	// maxOpen is how many operations of a client can be under way at once.
	maxOpen = 63
)

// decider follows all the ways in which the operations can have taken effect.
type decider struct {
	ops     []Op
	clients map[string]int
	open    [][]operation // by client: what is under way
	worlds  []*world
	left    int // comparisons that may still be made
}

// exhausted says whether the search takes too long.
func (d *decider) exhausted() bool { return len(d.worlds) > maxWorlds || d.left < 0 }

// operation is one that was called and has not returned.
type operation struct {
	*Op
	index    int
	bit      state
	optional bool  // it need not take effect
	look     bool  // it changes nothing
	before   state // operations that are as good as this one, and are used before it
}

// usable says whether the operation can take effect in a state: it has not, and no other one would do.
func (o *operation) usable(s state) bool { return s&o.bit == 0 && s&o.before == o.before }

// alike says whether two operations of one client do the same where both can take effect: those whose end is known, and that can
// be without an effect, too.
func alike(a, b *Op) bool {
	if a.leaves() && b.leaves() {
		return true
	}
	return a.Kind == b.Kind && a.Result == b.Result && !returning(a) && !returning(b)
}

// until is when the operation must have taken effect.
func (o Op) until() time.Duration {
	if returning(&o) {
		return o.Return
	}
	return Forever
}

// leaves says whether the operation ends a membership if there is one.
func (o Op) leaves() bool {
	return o.Kind == Gone || (o.Kind == Leave && o.Result != No && o.Result != OK)
}

// state is one of a client's: whether it is a member, and which of its operations under way have taken effect.
type state uint64

const member state = 1

// world is one way in which the room can have come to be as it is. states are those of each client, ascending; none are the
// same as a zero. They are never changed, because worlds share them.
type world struct {
	owner  int
	states [][]state
}

var unborn = []state{0}

func (w *world) of(client int) []state {
	if client >= len(w.states) || w.states[client] == nil {
		return unborn
	}
	return w.states[client]
}

// with returns a copy with another owner, that has room for the states of n clients.
func (w *world) with(owner, n int) *world {
	next := &world{owner: owner, states: make([][]state, n)}
	copy(next.states, w.states)
	return next
}

// call notes an operation.
func (d *decider) call(i int) bool {
	o := &d.ops[i]
	c, ok := d.clients[o.Client]
	if !ok {
		c = len(d.open)
		d.clients[o.Client] = c
		d.open = append(d.open, nil)
	}
	used := member
	for _, other := range d.open[c] {
		used |= other.bit
	}
	free := ^used & (used + 1)
	if free == 0 || len(d.open[c]) >= maxOpen {
		return false
	}
	optional := o.Result == Maybe || !returning(o)
	next := operation{o, i, free, optional, !optional && (o.Kind == Absent || o.Result == No), 0}
	for j := range d.open[c] {
		switch other := &d.open[c][j]; {
		case !alike(other.Op, o):
		case other.until() <= o.until():
			next.before |= other.bit
		default:
			other.before |= free
		}
	}
	d.open[c] = append(d.open[c], next)
	return true
}

// returned keeps the worlds in which the operation has taken effect, or need not have.
func (d *decider) returned(i int) {
	c := d.clients[d.ops[i].Client]
	at := slices.IndexFunc(d.open[c], func(o operation) bool { return o.index == i })
	bit, optional := d.open[c][at].bit, d.open[c][at].optional
	d.open[c] = slices.Delete(d.open[c], at, at+1)
	for j := range d.open[c] {
		d.open[c][j].before &^= bit
	}
	before := d.worlds
	d.worlds = nil
	for _, w := range before {
		var kept []state
		for _, s := range w.of(c) {
			if s&bit != 0 || optional {
				kept = append(kept, s&^bit)
			}
		}
		if len(kept) > 0 {
			next := w.with(w.owner, len(d.open))
			next.states[c] = sorted(kept)
			d.add(next)
		}
		if d.exhausted() {
			return
		}
	}
}

// explore adds all worlds that the operations under way can lead to. It returns false if there are too many.
func (d *decider) explore() bool {
	before := d.worlds
	d.worlds = nil
	for _, w := range before {
		if d.add(d.spread(w.with(w.owner, len(d.open)))); d.exhausted() {
			return false
		}
	}
	for queue := slices.Clone(d.worlds); len(queue) > 0; queue = queue[1:] {
		if d.exhausted() {
			return false
		}
		for _, next := range d.turns(queue[0]) {
			if d.add(d.spread(next)) {
				queue = append(queue, next)
			}
		}
	}
	return true
}

// turns are the worlds after the room was created or closed by an operation under way.
func (d *decider) turns(w *world) (all []*world) {
	if w.owner != nobody {
		return d.closings(w)
	}
	for c, open := range d.open {
		for _, o := range open {
			if o.Kind != Create || o.Result == No {
				continue
			}
			if states := o.after(w.of(c), member); states != nil {
				next := w.with(c, len(d.open))
				next.states[c] = states
				all = append(all, next)
			}
		}
	}
	return all
}

func (d *decider) closings(w *world) (all []*world) {
	for _, o := range d.open[w.owner] {
		if o.Kind != Gone && (o.Kind != Leave || o.Result == No) {
			continue
		}
		states := o.after(w.of(w.owner), 0)
		if states == nil {
			continue
		}
		next := w.with(nobody, len(d.open))
		next.states[w.owner] = states
		for c := range next.states {
			next.states[c] = d.tidy(c, expelled(next.of(c)))
		}
		all = append(all, next)
	}
	return all
}

// after are the states after the operation has taken effect.
func (o *operation) after(states []state, membership state) (next []state) {
	for _, s := range states {
		if o.usable(s) {
			next = append(next, s&^member|o.bit|membership)
		}
	}
	return sorted(next)
}

func expelled(states []state) []state {
	next := make([]state, len(states))
	for i, s := range states {
		next[i] = s &^ member
	}
	return sorted(next)
}

func sorted(states []state) []state {
	slices.Sort(states)
	return slices.Compact(states)
}

// spread adds to each client's states those that its own operations lead to while the room stays as it is. w is changed.
func (d *decider) spread(w *world) *world {
	for c, open := range d.open {
		if len(open) > 0 {
			w.states[c] = d.reach(c, w.of(c), w.owner)
		}
	}
	return w
}

// reach are the states that a client can come to from some, those included: without those that have no advantage.
func (d *decider) reach(c int, from []state, owner int) []state {
	better := d.better(c)
	states := slices.Clone(from) // and then all that were found, those covered later included
	for i := 0; i < len(states); i++ {
		for j := range d.open[c] {
			next, ok := d.open[c][j].apply(states[i], owner != nobody, owner == c)
			if ok && !d.covered(next, states, better) {
				states = append(states, next)
			}
		}
	}
	if len(states) == len(from) {
		return from
	}
	return d.tidy(c, sorted(states))
}

// apply is the client's state after the operation, if that can take effect and leaves the room as it is.
func (o *operation) apply(s state, exists, owns bool) (next state, ok bool) {
	if !o.usable(s) {
		return s, false
	}
	in, next := s&member != 0, s|o.bit
	switch o.Kind {
	case Create:
		return next, exists && o.Result == No
	case Join:
		switch o.Result {
		case OK:
			return next | member, exists
		case No:
			return next, !exists
		}
		return next | member, exists && !in
	case Leave, Gone:
		switch {
		case o.Result == No, !in && !o.optional && (o.Kind == Gone || o.Result == Either):
			return next, !in
		}
		return next &^ member, in && !owns
	case Absent:
		return next, !in
	}
	return s, false
}

// tidy drops states that have no advantage over another one.
func (d *decider) tidy(c int, states []state) []state {
	better := d.better(c)
	if better == (advantages{}) {
		return states
	}
	return slices.DeleteFunc(slices.Clone(states), func(s state) bool {
		d.left -= len(states)
		return slices.ContainsFunc(states, func(other state) bool { return other != s && better.covers(other, s) })
	})
}

// covered says whether all that can become of a state can become of one of others.
func (d *decider) covered(s state, others []state, better advantages) bool {
	d.left -= len(others)
	return slices.ContainsFunc(others, func(other state) bool { return better.covers(other, s) })
}

// advantages are a client's operations under way by which states can be compared: it is better not to have used those that need
// not take effect, and to have used those that change nothing.
type advantages struct{ optional, looks state }

func (d *decider) better(c int) (b advantages) {
	for _, o := range d.open[c] {
		switch {
		case o.optional:
			b.optional |= o.bit
		case o.look:
			b.looks |= o.bit
		}
	}
	return b
}

// covers says whether all that can become of y can become of x.
func (b advantages) covers(x, y state) bool {
	differ := x ^ y
	return differ&^(b.optional|b.looks) == 0 && differ&x&b.optional == 0 && differ&y&b.looks == 0
}

// add adds a world unless another one leads to all that it can lead to. It drops those of which that is true then.
func (d *decider) add(w *world) bool {
	for _, other := range d.worlds {
		if d.includes(other, w) {
			return false
		}
	}
	d.worlds = slices.DeleteFunc(d.worlds, func(other *world) bool { return d.includes(w, other) })
	d.worlds = append(d.worlds, w)
	return true
}

func (d *decider) includes(a, b *world) bool {
	if a.owner != b.owner {
		return false
	}
	d.left -= len(d.open)
	for c := range d.open {
		some, all := a.of(c), b.of(c)
		if &some[0] == &all[0] || slices.Equal(some, all) {
			continue
		}
		better := d.better(c)
		for _, s := range all {
			if !d.covered(s, some, better) {
				return false
			}
		}
	}
	return true
}
