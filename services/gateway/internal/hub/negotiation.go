package hub

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/pkg/metrics"
)

const (
	// negotiationWindow is how long an offer is followed.
	negotiationWindow = 30 * time.Second
	// maxNegotiations bounds the offers that are followed in one partition. Further ones are only counted.
	maxNegotiations = 1024
)

// negotiations follow the offers of this gateway's clients, so that metrics can tell how long clients take to find each
// other. They see of a signal's data what kindOf reads. The partition's mutex guards them.
type negotiations struct {
	open  map[pair]*negotiation
	order []*negotiation // by age; those that are over are still in it until their window is
}

// pair is who offers what to whom.
type pair struct {
	r                 *replica
	offerer, answerer string
}

type negotiation struct {
	pair
	since      time.Time
	answered   bool
	over       bool
	candidates int // of both sides
}

// negotiationResult is what became of an offer.
type negotiationResult int

const (
	negotiationAnswered negotiationResult = iota
	negotiationUnanswered
	negotiationReplaced // another offer of the same client to the same client came before an answer
	negotiationUntracked
)

type negotiationMetrics struct {
	total       []prometheus.Counter // by result
	firstSignal prometheus.Observer
	answer      prometheus.Observer
	candidates  prometheus.Observer
}

func newNegotiationMetrics(reg prometheus.Registerer) negotiationMetrics {
	return negotiationMetrics{
		total: metrics.Counters(reg, counter("negotiations_total",
			"Offers of this gateway's clients by what came of them within 30 s. untracked were too many to follow."),
			"result", "answered", "unanswered", "replaced", "untracked"),
		firstSignal: histogram(reg, "join_to_first_signal_seconds",
			"Time from a member's join or create to the first signal that it sends or gets.",
			[]float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}),
		answer: histogram(reg, "offer_to_answer_seconds",
			"Time from an offer of a client of this gateway to the answer's arrival for it.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}),
		candidates: histogram(reg, "negotiation_candidates",
			"ICE candidates that both sides of an answered offer exchanged within 30 s.", []float64{0, 1, 2, 4, 8, 16, 32, 64}),
	}
}

// signalled takes note of a signal that is accepted for delivery. from and to are its members as far as they are at this
// gateway, else nil.
func (r *replica) signalled(from, to *member, sender, target string, data []byte) {
	p := r.p
	if !p.h.cfg.Negotiations {
		return
	}
	p.first(from)
	p.first(to)
	kind := kindOf(data)
	if kind == noKind {
		return
	}
	n := &p.negotiations
	switch {
	case kind == offer && from != nil:
		n.offer(pair{r, from.Client, target}, &p.h.m.negotiations)
	case kind == answer && to != nil:
		n.answer(pair{r, to.Client, sender}, &p.h.m.negotiations)
	case kind == candidate:
		o := n.open[pair{r, sender, target}]
		if o == nil {
			o = n.open[pair{r, target, sender}]
		}
		if o != nil {
			o.candidates++
		}
	}
}

// first observes a member's first signal.
func (p *partition) first(m *member) {
	if m != nil && m.joined != 0 {
		p.h.m.negotiations.firstSignal.Observe(time.Since(time.Unix(0, m.joined)).Seconds())
		m.joined = 0
	}
}

func (n *negotiations) offer(who pair, m *negotiationMetrics) {
	if o := n.open[who]; o != nil {
		n.conclude(o, negotiationReplaced, m)
	}
	if len(n.order) >= maxNegotiations {
		m.total[negotiationUntracked].Inc()
		return
	}
	if n.open == nil {
		n.open = make(map[pair]*negotiation)
	}
	o := &negotiation{pair: who, since: time.Now()}
	n.open[who] = o
	n.order = append(n.order, o)
}

func (n *negotiations) answer(who pair, m *negotiationMetrics) {
	if o := n.open[who]; o != nil && !o.answered {
		o.answered = true
		m.answer.Observe(time.Since(o.since).Seconds())
	}
}

// conclude ends a negotiation. An answered one is that, however it ends.
func (n *negotiations) conclude(o *negotiation, result negotiationResult, m *negotiationMetrics) {
	if o.over {
		return
	}
	o.over = true
	delete(n.open, o.pair)
	if o.answered {
		result = negotiationAnswered
		m.candidates.Observe(float64(o.candidates))
	}
	m.total[result].Inc()
}

// sweep concludes those whose time is over.
func (n *negotiations) sweep(now time.Time, m *negotiationMetrics) {
	done := 0
	for done < len(n.order) && now.Sub(n.order[done].since) >= negotiationWindow {
		n.conclude(n.order[done], negotiationUnanswered, m)
		done++
	}
	if done == 0 {
		return
	}
	rest := copy(n.order, n.order[done:])
	clear(n.order[rest:])
	n.order = n.order[:rest]
	if rest == 0 {
		n.order, n.open = nil, nil
	}
}
