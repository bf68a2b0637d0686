package linear

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func op(client string, kind Kind, result Result, call, end int) Op {
	o := Op{Client: client, Kind: kind, Result: result, Call: time.Duration(call), Return: time.Duration(end)}
	if end == 0 {
		o.Return = Forever
	}
	return o
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		ops  []Op
		want Verdict
	}{
		{"nothing", nil, Possible},
		{"one after the other", []Op{
			op("a", Join, No, 1, 2), op("a", Create, OK, 3, 4), op("b", Create, No, 5, 6), op("b", Join, OK, 7, 8),
			op("b", Leave, OK, 9, 10), op("b", Leave, No, 11, 12), op("a", Leave, OK, 13, 14), op("b", Join, No, 15, 16),
		}, Possible},
		{"two owners", []Op{op("a", Create, OK, 1, 2), op("b", Create, OK, 3, 4)}, Impossible},
		{"two owners at once", []Op{op("a", Create, OK, 1, 4), op("b", Create, OK, 2, 3)}, Impossible},
		{"two owners, but the first is gone", []Op{
			op("a", Create, OK, 1, 2), op("a", Gone, OK, 2, 0), op("b", Create, OK, 3, 4),
		}, Possible},
		{"two owners, and the first goes later", []Op{
			op("a", Create, OK, 1, 2), op("b", Create, OK, 3, 4), op("a", Gone, OK, 5, 0),
		}, Impossible},
		{"joining what does not exist", []Op{op("a", Join, OK, 1, 2)}, Impossible},
		{"joining what was closed", []Op{
			op("a", Create, OK, 1, 2), op("a", Leave, OK, 3, 4), op("b", Join, OK, 5, 6),
		}, Impossible},
		{"joining while it is closed", []Op{
			op("a", Create, OK, 1, 2), op("a", Leave, OK, 3, 6), op("b", Join, OK, 4, 5), op("b", Absent, OK, 4, 9),
		}, Possible},
		{"staying behind", []Op{
			op("a", Create, OK, 1, 2), op("b", Join, OK, 3, 4), op("a", Leave, OK, 5, 6), op("b", Leave, OK, 7, 8),
		}, Impossible},
		{"a lost member", []Op{
			op("a", Create, OK, 1, 2), op("b", Join, OK, 3, 4), op("b", Leave, No, 5, 6),
		}, Impossible},
		{"a member that is told that it is none", []Op{
			op("a", Create, OK, 1, 2), op("b", Join, OK, 3, 4), op("b", Absent, OK, 5, 6),
		}, Impossible},
		{"an unknown create that worked", []Op{op("a", Create, Unknown, 1, 2), op("b", Create, No, 3, 4)}, Possible},
		{"an unknown create that did not", []Op{op("a", Create, Unknown, 1, 2), op("b", Create, OK, 3, 4)}, Possible},
		{"a create that may have worked", []Op{op("a", Create, Maybe, 1, 4), op("b", Create, No, 2, 3)}, Possible},
		{"a create that may have worked, and has not", []Op{op("a", Create, Maybe, 1, 4), op("b", Create, OK, 2, 3)}, Possible},
		{"a create that may have worked, but not so late", []Op{op("a", Create, Maybe, 1, 2), op("b", Join, No, 3, 4), op("b", Create, No, 5, 6)}, Impossible},
		{"an owner that was given up and is back", []Op{
			op("a", Create, OK, 1, 2), op("a", Gone, Maybe, 2, 0), op("a", Create, Maybe, 2, 0),
			op("b", Create, OK, 3, 4), op("b", Leave, OK, 5, 6), op("c", Create, No, 7, 8), op("a", Leave, OK, 9, 10),
		}, Possible},
		{"an unknown create before its call", []Op{op("b", Create, No, 1, 2), op("a", Create, Unknown, 3, 4)}, Impossible},
		{"an unknown leave that worked late", []Op{
			op("a", Create, OK, 1, 2), op("a", Leave, Unknown, 3, 4), op("b", Join, OK, 5, 6), op("b", Join, No, 7, 8),
		}, Possible},
		{"a leave of one that may be gone", []Op{
			op("a", Create, OK, 1, 2), op("a", Gone, OK, 2, 5), op("b", Create, OK, 3, 4), op("a", Leave, Either, 6, 7),
		}, Possible},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Check(tt.ops); got != tt.want {
				t.Errorf("it is %s, want %s", got, tt.want)
			}
		})
	}
}

// random makes a history of n operations that follow one another in truth, but whose times overlap. Of one in forgotten it is
// unknown what came of it.
func random(rng *rand.Rand, n, forgotten int) (ops []Op) {
	r, ids := room{}, "abcdef"
	for i := range n {
		client := 1 + rng.IntN(len(ids))
		in := input{[]Kind{Create, Join, Leave, Gone}[rng.IntN(4)], byte(client)}
		result := OK
		if possible, _ := step(r, in, OK); !possible {
			result = No
		}
		_, r = step(r, in, result)
		o := op(ids[client-1:client], in.kind, result, 10*i-rng.IntN(30), 10*i+1+rng.IntN(30))
		if o.Kind != Gone && rng.IntN(forgotten) == 0 {
			o.Result = Unknown
		}
		ops = append(ops, o)
	}
	return ops
}

func TestTrueHistoriesArePossible(t *testing.T) {
	for seed := range uint64(50) {
		if got := Check(random(rand.New(rand.NewPCG(seed, 1)), 300, 20)); got != Possible {
			t.Errorf("seed %d: it is %s", seed, got)
		}
	}
}

func TestFalseHistoriesAreImpossibleAndShortened(t *testing.T) {
	found := 0
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ops := random(rng, 100, 20)
		i := rng.IntN(len(ops))
		switch ops[i].Result {
		case OK:
			ops[i].Result = No
		case No:
			ops[i].Result = OK
		}
		if Check(ops) != Impossible { // times that overlap can hide it
			continue
		}
		found++
		short := Shorten(ops)
		if Check(short) != Impossible || len(short) > len(ops) {
			t.Errorf("seed %d: %d operations were shortened to %d", seed, len(ops), len(short))
		}
	}
	if found < 10 {
		t.Errorf("only %d histories were impossible", found)
	}
}

func TestShorten(t *testing.T) {
	ops := []Op{
		op("a", Create, OK, 1, 2), op("b", Join, OK, 3, 40), op("c", Create, OK, 5, 6), op("a", Leave, OK, 7, 8),
		op("a", Gone, OK, 20, 0), op("c", Absent, OK, 4, 50), op("d", Join, OK, 60, 70),
	}
	want := []Op{op("a", Create, OK, 1, 2), op("b", Join, Unknown, 3, 0), op("c", Create, OK, 5, 6)}
	if diff := cmp.Diff(want, Shorten(ops)); diff != "" {
		t.Errorf("shortened (-want +got):\n%s", diff)
	}
}

// Check must decide as porcupine does, which tries orders.
func TestCheckDecidesLikePorcupine(t *testing.T) {
	verdicts := map[Verdict]int{}
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		ops := random(rng, 5+rng.IntN(25), 3+rng.IntN(20))
		for range rng.IntN(3) { // what may make it impossible
			spoil(rng, &ops[rng.IntN(len(ops))])
		}
		want := reference(ops, time.Minute)
		if got := Check(ops); got != want {
			t.Fatalf("seed %d: it is %s, porcupine says %s: %v", seed, got, want, ops)
		}
		verdicts[want]++
	}
	if verdicts[Possible] < 300 || verdicts[Impossible] < 300 || len(verdicts) > 2 {
		t.Errorf("this shows nothing: %v", verdicts)
	}
}

// spoil changes an operation into another one.
func spoil(rng *rand.Rand, o *Op) {
	switch rng.IntN(6) {
	case 0:
		o.Kind = []Kind{Create, Join, Leave, Gone}[rng.IntN(4)]
	case 1:
		o.Result = []Result{OK, No, Unknown}[rng.IntN(3)]
	case 2:
		o.Kind, o.Result = Leave, Either
	case 3:
		o.Kind, o.Result = Absent, OK
	case 4:
		o.Return = Forever
		if o.Kind != Gone {
			o.Result = Unknown
		}
	case 5:
		o.Call += time.Duration(rng.IntN(40) - 20)
		o.Return = max(o.Call+1, o.Return)
	}
	switch {
	case o.Kind == Gone, o.Kind == Absent, o.Kind != Leave && o.Result == Either:
		o.Result = OK
	}
	if o.Return == Forever && o.Kind != Gone {
		o.Kind, o.Result = Leave, Unknown
	}
}

// Very much at once is decided too: in a fault everybody waits.
func TestCheckManyAtOnce(t *testing.T) {
	ops := []Op{op("owner", Create, OK, 1, 2)}
	for i := range 30 {
		id := fmt.Sprint(i)
		ops = append(ops, op(id, Join, OK, 10, 100+i), op(id, Create, No, 11, 100+i), op(id, Create, Unknown, 12, 0), op(id, Gone, OK, 12, 0))
	}
	ops = append(ops, op("owner", Leave, OK, 50, 90))
	if got := Check(ops); got != Possible {
		t.Errorf("it is %s", got)
	}
	ops = append(ops, op("1", Leave, OK, 300, 310), op("1", Leave, OK, 320, 330), op("1", Leave, OK, 340, 350))
	if got := Check(ops); got != Impossible {
		t.Errorf("it is %s, though one has left more often than it can have joined", got)
	}
}

// A client whose session lasts leaves behind what was not answered when its connections ended: more and more of it.
func TestCheckMuchUnknown(t *testing.T) {
	const clients, rounds = 12, 12
	ops := []Op{op("owner", Create, OK, 1, 2)}
	now := 10
	for range rounds {
		for i := range clients {
			id := fmt.Sprint(i)
			ops = append(ops, op(id, Create, Unknown, now, 0), op(id, Gone, OK, now, 0), op(id, Join, Unknown, now+1, 0),
				op(id, Gone, OK, now+1, 0), op(id, Leave, Unknown, now+2, 0), op(id, Join, OK, now+3, now+20+i))
		}
		ops = append(ops, op("owner", Leave, OK, now+30, now+40), op("owner", Create, OK, now+35, now+50))
		now += 60
	}
	start := time.Now()
	if got := Check(ops); got != Possible {
		t.Errorf("it is %s", got)
	}
	t.Logf("decided after %v", time.Since(start)) // without what sets clients' forgotten operations apart, it takes hours
}

// What cannot be followed to its end is given up.
func TestCheckGivesUp(t *testing.T) {
	var ops []Op
	for i := range 24 {
		id := fmt.Sprint(i)
		for j := range 10 {
			ops = append(ops, op(id, Create, Maybe, 1+i, 1000+10*j), op(id, Join, Maybe, 1+i, 1001+10*j), op(id, Gone, Maybe, 1, 1002+10*j))
		}
	}
	ops = append(ops, op("x", Join, OK, 50, 60), op("x", Join, No, 70, 80))
	if got := check(ops, maxEffort/100); got != Undecided {
		t.Errorf("it is %s", got)
	}
}
