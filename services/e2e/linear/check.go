package linear

import (
	"cmp"
	"slices"
)

// Check decides about the operations on one room, which does not exist before them.
//
// Trying orders takes too long where many operations are under way at once, as they are when a service is away. But a room
// has little that its clients share: whether it exists, and who owns it. While that stays as it is, each client's operations
// change nothing but its own membership, and have no order among those of others. So what is tried is only when the room
// was created and closed; beside it, for each client alone, is noted every state in which it can be. All of that is followed
// from return to return: an operation that returns must have taken effect.
func Check(ops []Op) Verdict {
	d := &decider{ops: ops, clients: map[string]int{}}
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
		if d.returned(r); len(d.worlds) == 0 {
			return Impossible
		}
	}
	return Possible
}

// returning says whether there is a time after which an operation cannot take effect any more.
func returning(o *Op) bool { return o.Return != Forever && o.Result != Unknown }

const (
	nobody = -1
	// maxWorlds bounds the search. Real histories need some dozens.
	maxWorlds = 20_000
	// maxOpen is how many operations of a client can be under way at once.
	maxOpen = 63
)

// decider follows all the ways in which the operations can have taken effect.
type decider struct {
	ops     []Op
	clients map[string]int
	open    [][]operation // by client: what is under way
	worlds  []*world
}

// operation is one that was called and has not returned.
type operation struct {
	*Op
	index    int
	bit      state
	optional bool // it need not take effect
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
	d.open[c] = append(d.open[c], operation{o, i, free, o.Result == Maybe || !returning(o)})
	return true
}

// returned keeps the worlds in which the operation has taken effect, or need not have.
func (d *decider) returned(i int) {
	c := d.clients[d.ops[i].Client]
	at := slices.IndexFunc(d.open[c], func(o operation) bool { return o.index == i })
	bit, optional := d.open[c][at].bit, d.open[c][at].optional
	d.open[c] = slices.Delete(d.open[c], at, at+1)
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
	}
}

// explore adds all worlds that the operations under way can lead to. It returns false if there are too many.
func (d *decider) explore() bool {
	before := d.worlds
	d.worlds = nil
	for _, w := range before {
		d.add(d.spread(w.with(w.owner, len(d.open))))
	}
	for queue := slices.Clone(d.worlds); len(queue) > 0; queue = queue[1:] {
		if len(d.worlds) > maxWorlds {
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
			if states := after(w.of(c), o.bit, member); states != nil {
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
		if (o.Kind != Leave || o.Result == No) && o.Kind != Gone {
			continue
		}
		states := after(w.of(w.owner), o.bit, 0)
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

// after are the states after an operation that has not taken effect yet has done so.
func after(states []state, bit, membership state) (next []state) {
	for _, s := range states {
		if s&bit == 0 {
			next = append(next, s&^member|bit|membership)
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
		if len(open) == 0 {
			continue
		}
		states := w.of(c)
		seen := make(map[state]bool, 2*len(states))
		for _, s := range states {
			seen[s] = true
		}
		queue := slices.Clone(states)
		for i := 0; i < len(queue); i++ {
			for _, o := range open {
				if next, ok := o.apply(queue[i], w.owner != nobody, w.owner == c); ok && !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		if len(queue) > len(states) {
			w.states[c] = d.tidy(c, sorted(queue))
		}
	}
	return w
}

// apply is the client's state after the operation, if that can take effect and leaves the room as it is.
func (o *operation) apply(s state, exists, owns bool) (next state, ok bool) {
	if s&o.bit != 0 {
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

// tidy drops states that have no advantage over another one: they differ in operations only that need not have taken
// effect, and have.
func (d *decider) tidy(c int, states []state) []state {
	optional := d.optional(c)
	if optional == 0 {
		return states
	}
	return slices.DeleteFunc(slices.Clone(states), func(s state) bool {
		return slices.ContainsFunc(states, func(other state) bool { return other != s && covers(other, s, optional) })
	})
}

// optional are the client's operations under way that need not take effect.
func (d *decider) optional(c int) (bits state) {
	for _, o := range d.open[c] {
		if o.optional {
			bits |= o.bit
		}
	}
	return bits
}

// covers says whether all that can become of b can become of a.
func covers(a, b, optional state) bool { return a&^optional == b&^optional && a&^b == 0 }

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
	for c := range d.open {
		some, all := a.of(c), b.of(c)
		if &some[0] == &all[0] || slices.Equal(some, all) {
			continue
		}
		optional := d.optional(c)
		for _, s := range all {
			if !slices.ContainsFunc(some, func(other state) bool { return covers(other, s, optional) }) {
				return false
			}
		}
	}
	return true
}
