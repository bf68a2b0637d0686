package storm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/check"
)

// What is promised to clients whose sessions outlive connections, and whether it was kept.

// Resumptions counts how often sessions were taken up, how often that was with something missed, and how many were lost.
func (s *Storm) Resumptions() (resumed, missed, lost int) {
	for _, p := range s.all() {
		if p.lasting == nil {
			return 0, 0, 0
		}
		if p.over() && p.left.Load() == 0 {
			lost++
		}
		for _, seen := range p.snapshot().Seen {
			if e, ok := seen.Event.(*client.Resumed); ok {
				resumed++
				if e.Missed {
					missed++
				}
			}
		}
	}
	return resumed, missed, lost
}

// lost says what is wrong with the end of a session that its client did not want. It is as it should be if
//   - there was no connection for longer than the server keeps the session, or
//   - the client's gateway may be gone, which took what it knew with it, and the client was in no room: PROTOCOL.md, 1.10. It
//     may not know yet that its rooms were closed, or that it was lost in each of them, or
//   - it could not be found in time.
func (p *participant) lost(excuse Excuse) []string {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	err, since := p.Err(), p.lasting.lostAt()
	if ended-since > p.storm.cfg.Window {
		return nil
	}
	if no, refused := errors.AsType[*refusal](err); refused {
		_, hurt := p.excused(p.storm.hurt.or(excuse), "", 0, ended)
		_, doubt := p.excused(p.storm.doubt.or(excuse), "", 0, ended)
		switch {
		case !no.sure && doubt:
			return nil
		case (!no.sure || strings.Contains(no.reason, "has ended")) && hurt && !p.inhabits(excuse, ended):
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: the session was lost, since %.3f s, at %.3f s: %v; it was at %s; in %v",
		p.ID(), since.Seconds(), ended.Seconds(), err, p.path(), p.openRooms())}
}

// or is an excuse, or another one where there is none.
func (e Excuse) or(other Excuse) Excuse {
	if e == nil {
		return other
	}
	return e
}

// path tells where the client was.
func (p *participant) path() string {
	var b strings.Builder
	for _, at := range p.lasting.where() {
		fmt.Fprintf(&b, " %d from %.3f s", at.gateway%max(p.storm.cfg.Gateways, 1)+1, at.from.Seconds())
	}
	return strings.TrimSpace(b.String())
}

// openRooms are the rooms where the client was by its own view at its end.
func (p *participant) openRooms() (rooms []string) {
	stints, _ := check.Fold(p.snapshot(), p.storm.cfg.Mode)
	for _, s := range stints {
		if s.End == check.Dropped || s.End == check.Open {
			rooms = append(rooms, s.Room)
		}
	}
	return rooms
}

// inhabits says whether the client was in a room at its end, as far as it is known: of a room that somebody else owned it need
// not have heard the end, nor the answer to its own leave; and of any not that it was lost there, for which there is an excuse.
func (p *participant) inhabits(excuse Excuse, ended time.Duration) bool {
	stints, _ := check.Fold(p.snapshot(), p.storm.cfg.Mode)
	own := p.storm.opsOf(p.ID())
	return slices.ContainsFunc(stints, func(s *check.Stint) bool {
		if (s.End != check.Dropped && s.End != check.Open) || p.storm.closed(s) || leaves(s, own) {
			return false
		}
		_, lost := p.excused(excuse, s.Room, max(0, s.Begun-lag), ended)
		return !lost
	})
}

// leaves says whether a client has asked to leave, and knows nothing of an answer.
func leaves(s *check.Stint, own []Op) bool {
	return slices.ContainsFunc(own, func(op Op) bool {
		return op.Room == s.Room && op.Kind == Leave && op.Result == Unknown && op.Return >= s.Begun
	})
}

// opsOf are the commands of a client.
func (s *Storm) opsOf(client string) []Op {
	return slices.DeleteFunc(s.Ops(), func(op Op) bool { return op.Client != client })
}

// closed says whether the owner of a room where a client was has ended it since. It may have made another one of that name.
func (s *Storm) closed(of *check.Stint) bool {
	for _, p := range s.all() {
		if p.ID() != of.Owner || p.ID() == of.Client {
			continue
		}
		ended, open := false, false
		stints, _ := check.Fold(p.snapshot(), s.cfg.Mode)
		for _, o := range stints {
			if o.Room != of.Room || o.Owner != o.Client {
				continue
			}
			open = open || o.End == check.Open
			ended = ended || o.End == check.Dropped || (o.End != check.Open && o.Over >= of.Begun)
		}
		return ended || !open
	}
	return false
}

// Broken are the promises to sessions that were not kept:
//   - a signal of which the server has said that it has reached its target's gateway has arrived, unless the target has left
//     since or was told that it has missed something;
//   - nobody was told more often that a client has left a room than it can have left it.
func (s *Storm) Broken(excuse Excuse) (broken []string) {
	all := map[string]*participant{}
	for _, p := range s.all() {
		if p.lasting == nil {
			return nil
		}
		all[p.ID()] = p
	}
	for _, p := range all {
		p.mu.Lock()
		promised := slices.Clone(p.promised)
		p.mu.Unlock()
		for _, x := range promised {
			if to := all[x.target]; to != nil && !to.got(p.ID(), &x) {
				broken = append(broken, fmt.Sprintf(
					"signal %d of %s to %s in %q, sent at %.3f s and delivered at %.3f s, did not arrive; its target was at %s",
					x.number, p.ID(), x.target, x.room, x.sent.Seconds(), x.at.Seconds(), to.path()))
			}
		}
	}
	return append(broken, s.departures(all, excuse)...)
}

// got says whether a signal has arrived, or need not have.
func (p *participant) got(sender string, x *promise) bool {
	h := p.snapshot()
	if h.Ended {
		return true
	}
	for _, seen := range h.Seen {
		switch e := seen.Event.(type) {
		case *client.SignalReceive:
			if e.Room == x.room && e.SenderID == sender && string(e.Data) == strconv.FormatUint(x.number, 10) {
				return true
			}
		case *client.Resumed:
			if e.Missed && seen.At >= x.sent {
				return true
			}
		}
	}
	return false
}

// departures looks for those of whom it was told that they have left, and who have not.
func (s *Storm) departures(all map[string]*participant, excuse Excuse) (broken []string) {
	type key struct{ room, client string }
	can := map[key]int{}
	for _, p := range all {
		stints, _ := check.Fold(p.snapshot(), s.cfg.Mode)
		for _, stint := range stints {
			if stint.End != check.Open {
				can[key{stint.Room, p.ID()}]++
			}
		}
	}
	for _, op := range s.Ops() {
		if op.Result == Unknown && op.Kind != Leave {
			can[key{op.Room, op.Client}]++ // it may have come in and gone again
		}
	}
	for _, p := range all {
		told := map[key]int{}
		for _, seen := range p.snapshot().Seen {
			e, ok := seen.Event.(*client.ClientLeft)
			if !ok {
				continue
			}
			k := key{e.Room, e.ClientID}
			told[k]++
			x := all[e.ClientID]
			if x == nil || told[k] <= can[k] {
				continue
			}
			if _, ok := x.excused(excuse, e.Room, 0, seen.At); !ok {
				broken = append(broken, fmt.Sprintf("%s was told at %.3f s that %s has left %q, which it has not; it was at %s",
					p.ID(), seen.At.Seconds(), e.ClientID, e.Room, x.path()))
			}
		}
	}
	return broken
}
