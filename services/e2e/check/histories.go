package check

import (
	"fmt"
	"slices"
)

// Report is the outcome of Histories.
type Report struct {
	Violations []string
	// Stints is how many there were, Compared how many of them were found in their room's log and compared with it, and
	// Lives how often a room was created.
	Stints, Compared, Lives int
	// Unplaced are stints that no log covers: the owner's connection ended before it could see the join, and so did all
	// that might have seen it.
	Unplaced int

	ended map[string]bool // clients whose connection ended: they need not have seen the last that happened to them
}

// Histories checks each client's history, and compares them with each other. It needs the histories of all clients that
// were in the rooms.
func Histories(all []History) *Report {
	r := &Report{ended: map[string]bool{}}
	groups := map[[2]string]*group{}
	for _, h := range all {
		stints, violations := Fold(h, Strict)
		r.Violations = append(r.Violations, violations...)
		r.Stints += len(stints)
		r.ended[h.Client] = h.Ended
		for _, s := range stints {
			key := [2]string{s.Room, s.Owner}
			g := groups[key]
			if g == nil {
				g = &group{report: r, room: s.Room, owner: s.Owner, others: map[string][]*Stint{}}
				groups[key] = g
			}
			g.add(s)
		}
	}
	for _, g := range groups {
		g.compare()
	}
	slices.Sort(r.Violations)
	return r
}

// group is a room with an owner: the lives of the room that began with that owner's room-created.
type group struct {
	report      *Report
	room, owner string
	lives       []*life
	others      map[string][]*Stint // by client, in order
}

// life is a room from its creation to its end.
type life struct {
	owner *Stint
	// log is the owner's, continued by those who saw more when the owner's connection had ended.
	log []Change
}

// place is where a stint began: after log[at] of a life, which is its client's join.
type place struct {
	life *life
	at   int
}

func (g *group) add(s *Stint) {
	if s.Client == g.owner {
		g.lives = append(g.lives, &life{owner: s, log: slices.Clone(s.Log)})
		g.report.Lives++
		return
	}
	g.others[s.Client] = append(g.others[s.Client], s)
}

func (g *group) violation(format string, args ...any) {
	g.report.Violations = append(g.report.Violations, fmt.Sprintf("room %q of %s: ", g.room, g.owner)+fmt.Sprintf(format, args...))
}

// compare finds each stint's place and compares. A stint can continue a log in which others then find their place.
func (g *group) compare() {
	done := map[*Stint]bool{}
	for progress := true; progress; {
		progress = false
		for client, stints := range g.others {
			places := g.joins(client)
			for i, s := range stints {
				if done[s] || i >= len(places) {
					continue
				}
				g.check(s, places[i])
				done[s], progress = true, true
				g.report.Compared++
			}
		}
	}
	for client, stints := range g.others {
		for _, s := range stints {
			if !done[s] {
				g.unplaced(s)
			}
		}
		g.hidden(client, len(stints))
	}
	for _, l := range g.lives {
		for _, c := range l.log {
			if c.Client != g.owner && g.others[c.Client] == nil {
				g.hidden(c.Client, 0)
			}
		}
	}
}

// joins finds all places where a client joined, over all lives.
func (g *group) joins(client string) (all []place) {
	for _, l := range g.lives {
		for i, c := range l.log {
			if c.Joined && c.Client == client {
				all = append(all, place{l, i})
			}
		}
	}
	return all
}

// unplaced looks at a stint whose beginning nobody saw. That can only be if the owner's connection ended before it could.
func (g *group) unplaced(s *Stint) {
	g.report.Unplaced++
	if !g.report.ended[g.owner] {
		g.violation("%s was in it, and its owner was never told", s.Client)
	}
}

// hidden looks for joins that their own client does not know of. Only the end of its connection can hide its last ones.
func (g *group) hidden(client string, known int) {
	if hidden := len(g.joins(client)) - known; hidden > 0 && !g.report.ended[client] {
		g.violation("%s was seen to join %d times more than it knows of", client, hidden)
	}
}

// check compares a stint with the log of its room's life.
func (g *group) check(s *Stint, p place) {
	rest, ok := g.after(s, p)
	if !ok {
		g.violation("%s joined and was told of %v; there were %v", s.Client, s.Before, apply([]string{g.owner}, p.life.log[:p.at]))
		rest = p.life.log[p.at+1:]
	}
	n := min(len(rest), len(s.Log))
	if !slices.Equal(rest[:n], s.Log[:n]) {
		g.violation("%s and the owner's log differ after its join:\n  %s saw %v\n  the log is %v", s.Client, s.Client, s.Log, rest)
		return
	}
	ownerGone := p.life.owner.End == Dropped
	switch more := rest[n:]; {
	case len(s.Log) > n && ownerGone:
		p.life.log = append(p.life.log, s.Log[n:]...)
	case len(s.Log) > n:
		g.violation("%s was told of %v, the owner was not", s.Client, s.Log[n:])
	case s.End == Left && len(more) > 0 && more[0] != Change{false, s.Client}:
		g.violation("%s was told nothing of %v, which was before its leave", s.Client, more)
	case s.End == Left && len(more) == 0 && !ownerGone:
		g.violation("%s left, the owner was not told", s.Client)
	case (s.End == Open || s.End == Kicked) && len(more) > 0:
		g.violation("%s was told nothing of %v", s.Client, more)
	case s.End == Kicked && p.life.owner.End == Open:
		g.violation("%s was told that the room is closed, and it is not", s.Client)
	case s.End == Open && p.life.owner.End != Open:
		g.violation("%s was not told that the room is closed", s.Client)
	}
}

// after returns what follows in the log on what the client was told when it joined. That can be some changes later than its
// join: an answer that was asked for again tells of them too, and they are not told once more.
func (g *group) after(s *Stint, p place) ([]Change, bool) {
	before := apply([]string{g.owner}, p.life.log[:p.at])
	for rest := p.life.log[p.at+1:]; ; rest = rest[1:] {
		if slices.Equal(before, s.Before) {
			return rest, true
		}
		if len(rest) == 0 || rest[0].Client == s.Client {
			return nil, false
		}
		before = apply(before, rest[:1])
	}
}
