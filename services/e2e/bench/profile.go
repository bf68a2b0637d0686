package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sync/errgroup"

	"signalling/services/e2e/figures"
)

// Profiles are the dearest functions of each work: those of all our processes that did it, the NATS server left out.
type Profiles struct {
	Machine string `json:"machine"`
	// Works holds the functions by the work's id and the target.
	Works map[string]map[Target][]Entry `json:"works"`
}

// Entry is a function's share of the CPU time, without what it calls.
type Entry struct {
	Function string  `json:"function"`
	Percent  float64 `json:"percent"`
}

const (
	// entries is how many functions are kept of each profile.
	entries = 6
	// enoughSamples is how many a profile must have to say anything: what sleeps most of the time is hardly ever seen.
	enoughSamples = 50
)

// TakeProfiles profiles works. Each merged profile is given to keep too. One with too few samples is not kept.
func (b *Bench) TakeProfiles(ctx context.Context, works []Work, into *Profiles, keep func(Target, *profile.Profile)) error {
	closeLab, err := b.build(ctx)
	if err != nil {
		return err
	}
	defer closeLab()
	into.Machine = figures.Machine()
	for i := range works {
		w := &works[i]
		found := map[Target][]Entry{}
		for _, t := range b.Targets {
			if t == Node || !w.On(t) {
				continue
			}
			p, err := b.profile(ctx, w, t)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", w.ID, t, err)
			}
			n := samples(p)
			_, _ = fmt.Fprintf(b.Log, "%s: %s: %d samples\n", w.ID, t, n)
			if n >= enoughSamples {
				found[t] = Top(p, entries)
				keep(t, p)
			}
		}
		into.Works[w.ID] = found
	}
	return nil
}

// profile is what a target's processes do while they work.
func (b *Bench) profile(ctx context.Context, w *Work, t Target) (*profile.Profile, error) {
	s, err := b.start(ctx, t, w)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := b.warm(ctx, w, s); err != nil {
		return nil, err
	}
	profiles := make([]*profile.Profile, len(s.admin))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, err := b.load(ctx, w, s, b.Profile+2*time.Second) // until after its end
		return err
	})
	for i, addr := range s.admin {
		g.Go(func() error {
			var err error
			profiles[i], err = fetchProfile(ctx, addr, b.Profile)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return profile.Merge(profiles)
}

func fetchProfile(ctx context.Context, addr string, d time.Duration) (*profile.Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, int(d.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return nil, fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	return profile.Parse(resp.Body)
}

// samples is how many a CPU profile has.
func samples(p *profile.Profile) (n int64) {
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}

// Top are the n functions with the highest shares of a CPU profile, the highest first.
func Top(p *profile.Profile, n int) []Entry {
	sums, total := map[string]int64{}, int64(0)
	for _, s := range p.Sample {
		if len(s.Location) == 0 || len(s.Location[0].Line) == 0 || len(s.Value) == 0 {
			continue
		}
		ns := s.Value[len(s.Value)-1]
		sums[s.Location[0].Line[0].Function.Name] += ns
		total += ns
	}
	var all []Entry
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		all = append(all, Entry{Function: name, Percent: round(100 * float64(sums[name]) / float64(total))})
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(b.Percent, a.Percent) })
	return all[:min(n, len(all))]
}

// Markdown returns the table of the profiles.
func (p *Profiles) Markdown() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s. Shares of the CPU time in percent, without what is called.\n\n| work | where | dearest functions | why |\n|---|---|---|---|\n", p.Machine)
	for i := range Works {
		w := &Works[i]
		for _, t := range Targets {
			var top []string
			for _, e := range p.Works[w.ID][t] {
				top = append(top, fmt.Sprintf("%#q %.0f", short(e.Function), e.Percent))
			}
			if top != nil {
				_, _ = fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", w.ID, titles[t], strings.Join(top, ", "), w.Why)
			}
		}
	}
	return b.String()
}

// short is a function's name without the folders of its package.
func short(name string) string { return name[strings.LastIndex(name, "/")+1:] }

// ProfilePage is where README.md has the table of the profiles.
var ProfilePage = figures.Place{Name: "profiles", By: "make bench-profiles"}
