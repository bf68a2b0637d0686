package operate

import (
	"cmp"
	"slices"
	"strings"
)

// Listing makes the list of rooms that a question asks for out of all rooms, in whatever order they come. It keeps at most
// twice as many of them as the list has, so that very many need not be sorted. Make one with NewListing.
type Listing struct {
	q     *Question
	limit int
	rooms []Summary // once cut is set, the first limit ones are in order, and the others belong before the last of those
	cut   bool
	total int // those with the prefix
	asked int // those among them that are not of pages before
}

// NewListing begins a list.
func NewListing(q *Question) *Listing {
	l := &Listing{q: q, limit: q.Limit}
	if l.limit <= 0 {
		l.limit = DefaultLimit
	}
	return l
}

// Wants is to be asked once about each room, and says whether it is to be added now.
func (l *Listing) Wants(name string, members int) bool {
	if !strings.HasPrefix(name, l.q.Prefix) {
		return false
	}
	l.total++
	if !l.q.Largest && name <= l.q.After {
		return false
	}
	l.asked++
	return !l.cut || l.q.compare(name, members, &l.rooms[l.limit-1]) < 0
}

// Add adds a room that is wanted.
func (l *Listing) Add(s Summary) {
	if l.rooms = append(l.rooms, s); len(l.rooms) >= 2*l.limit {
		l.sort()
	}
}

// sort brings the rooms in order, and drops those that are too many.
func (l *Listing) sort() {
	sortRooms(l.rooms, l.q)
	if len(l.rooms) >= l.limit {
		clear(l.rooms[l.limit:])
		l.rooms, l.cut = l.rooms[:l.limit], true
	}
}

// List is the list of what was added. It ends early, with More, where its JSON would be longer than MaxListBytes.
func (l *Listing) List() RoomList {
	l.sort()
	n := fitting(l.rooms)
	return RoomList{Rooms: append([]Summary{}, l.rooms[:n]...), Total: l.total, More: n < l.asked}
}

func sortRooms(rooms []Summary, q *Question) {
	slices.SortFunc(rooms, func(a, b Summary) int { return q.compare(a.Name, a.Members, &b) })
}

// compare is the order of a list.
func (q *Question) compare(name string, members int, b *Summary) int {
	if q.Largest && members != b.Members {
		return cmp.Compare(b.Members, members)
	}
	return cmp.Compare(name, b.Name)
}
