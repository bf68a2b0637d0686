package linear

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// reference decides as Check does, but by trying orders: it is what Check is compared with.
func reference(ops []Op, timeout time.Duration) Verdict {
	switch porcupine.CheckOperationsTimeout(model, history(ops), timeout) {
	case porcupine.Ok:
		return Possible
	case porcupine.Illegal:
		return Impossible
	}
	return Undecided
}

// history numbers the clients and leaves the time after the call open where the result is unknown.
func history(ops []Op) []porcupine.Operation {
	clients := map[string]byte{}
	all := make([]porcupine.Operation, 0, len(ops))
	for _, o := range ops {
		n, ok := clients[o.Client]
		if !ok {
			n = byte(len(clients) + 1)
			clients[o.Client] = n
			if n == 0 {
				panic("more than 255 clients in a room")
			}
		}
		end := int64(o.Return)
		if o.Result == Unknown {
			end = math.MaxInt64
		}
		all = append(all, porcupine.Operation{
			Input: input{o.Kind, n}, Output: o.Result, Call: int64(o.Call), Return: end,
		})
	}
	return all
}

type input struct {
	kind   Kind
	client byte
}

// room is the state: its owner, 0 if the room does not exist, and its members in ascending order.
type room struct {
	owner   byte
	members string
}

func (r room) has(c byte) bool { return strings.IndexByte(r.members, c) >= 0 }

func (r room) with(c byte) room {
	if r.has(c) {
		return r
	}
	members := append([]byte(r.members), c)
	slices.Sort(members)
	return room{r.owner, string(members)}
}

func (r room) without(c byte) room {
	if r.owner == c {
		return room{}
	}
	i := strings.IndexByte(r.members, c)
	if i < 0 {
		return r
	}
	return room{r.owner, r.members[:i] + r.members[i+1:]}
}

var model = porcupine.Model{
	Init: func() any { return room{} },
	Step: func(state, in, out any) (bool, any) {
		r, _ := state.(room)
		i, _ := in.(input)
		result, _ := out.(Result)
		ok, next := step(r, i, result)
		return ok, next
	},
	Equal: func(a, b any) bool { return a == b },
}

// step carries out an operation. One with an unknown result always can be: "never" is the same as after all others.
func step(r room, i input, result Result) (possible bool, next room) {
	exists, member := r.owner != 0, r.has(i.client)
	switch i.kind {
	case Create:
		if exists {
			return result != OK, r
		}
		return result != No, room{i.client, string(i.client)}
	case Join:
		if !exists {
			return result != OK, r
		}
		return result != No, r.with(i.client)
	case Leave:
		if !member {
			return result != OK, r
		}
		return result != No, r.without(i.client)
	case Gone:
		return true, r.without(i.client)
	case Absent:
		return !member, r
	}
	return false, r
}
