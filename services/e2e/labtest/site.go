package labtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"signalling/pkg/client"
	"signalling/services/e2e/lab"
)

// Site is a running site, as one test sees it.
type Site struct {
	*lab.Site
	Lab *lab.Lab

	t       testing.TB
	clients int // how many were dialled
}

// shared are the sites that the tests of a package share, started when they are first used.
var shared = []*sharedSite{
	{name: "one-process", start: func(ctx context.Context, l *lab.Lab) (*lab.Site, error) { return l.OneProcess(ctx, patient...) }},
	{name: "separate", start: func(ctx context.Context, l *lab.Lab) (*lab.Site, error) {
		return l.Separate(ctx, lab.Layout{Gateways: 2, GatewayEnv: patient})
	}},
}

// patient lets commands wait for services that restart on a busy machine. Tests of what happens when they do not wait set
// their own time.
var patient = []string{"GATEWAY_COMMAND_TIMEOUT=15s"}

type sharedSite struct {
	name  string
	start func(context.Context, *lab.Lab) (*lab.Site, error)

	once sync.Once
	lab  *lab.Lab
	site *lab.Site
	err  error
}

func (s *sharedSite) get() (*lab.Lab, *lab.Site, error) {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
		defer cancel()
		if s.lab, s.err = labs.add(""); s.err == nil {
			s.site, s.err = s.start(ctx, s.lab)
		}
	})
	return s.lab, s.site, s.err
}

// ForEachSite runs a test against the one-process build, and against nats-server, rooms and two gateways as separate
// processes. The sites are shared with the other tests of the package: f must not break them.
func ForEachSite(t *testing.T, f func(t *testing.T, s *Site)) {
	t.Helper()
	for _, s := range shared {
		t.Run(s.name, func(t *testing.T) {
			l, site, err := s.get()
			if err != nil {
				t.Fatalf("starting the site: %v", err)
			}
			watch(t, l)
			f(t, &Site{Site: site, Lab: l, t: t})
		})
	}
}

// Private starts separate processes for this test alone.
func Private(t testing.TB, layout lab.Layout) *Site {
	t.Helper()
	layout.GatewayEnv = slices.Concat(patient, layout.GatewayEnv)
	return private(t, func(ctx context.Context, l *lab.Lab) (*lab.Site, error) { return l.Separate(ctx, layout) })
}

// PrivateOneProcess starts the one-process build for this test alone.
func PrivateOneProcess(t testing.TB, env ...string) *Site {
	t.Helper()
	env = slices.Concat(patient, env)
	return private(t, func(ctx context.Context, l *lab.Lab) (*lab.Site, error) { return l.OneProcess(ctx, env...) })
}

func private(t testing.TB, start func(context.Context, *lab.Lab) (*lab.Site, error)) *Site {
	t.Helper()
	l := NewLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	site, err := start(ctx, l)
	if err != nil {
		t.Fatalf("starting the site: %v", err)
	}
	return &Site{Site: site, Lab: l, t: t}
}

// NewLab makes a lab that ends with the test.
func NewLab(t testing.TB) *lab.Lab {
	t.Helper()
	return NewTaggedLab(t, "")
}

// NewTaggedLab is NewLab for programs that are built with tags, comma-separated.
func NewTaggedLab(t testing.TB, tags string) *lab.Lab {
	t.Helper()
	l, err := labs.add(tags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	watch(t, l)
	return l
}

// watch fails the test for what must never happen, and prints what the processes logged during a test that failed.
func watch(t testing.TB, l *lab.Lab) {
	before := l.Mark()
	t.Cleanup(func() {
		for _, p := range l.Problems(before) {
			t.Error(p)
		}
		if t.Failed() {
			t.Logf("what the processes logged:\n%s", l.Tails(before, 60))
		}
	})
}

// In is the site as a subtest sees it.
func (s *Site) In(t testing.TB) *Site { return &Site{Site: s.Site, Lab: s.Lab, t: t} }

// Room returns a name that no other test uses.
func (s *Site) Room() string { return Room(s.t) }

// rooms counts the names given out.
var rooms struct {
	mu sync.Mutex // guards n
	n  int
}

// Room returns a room's name that no other test uses.
func Room(t testing.TB) string {
	rooms.mu.Lock()
	defer rooms.mu.Unlock()
	rooms.n++
	name := t.Name()
	return fmt.Sprintf("%s %d", name[strings.LastIndexByte(name, '/')+1:], rooms.n)
}

// NextURL is where the next client connects: each at another gateway than the one before.
func (s *Site) NextURL() string {
	s.t.Helper()
	s.clients++
	return s.URLOf(s.clients - 1)
}

// URLOf is the native door of the i-th gateway, counted from 0 and round.
func (s *Site) URLOf(i int) string {
	s.t.Helper()
	url, err := s.URL(Context(s.t), i)
	if err != nil {
		s.t.Fatal(err)
	}
	return url
}

// Dial connects a client of the SDK at the next gateway. It is closed with the test.
func (s *Site) Dial() *client.Client {
	s.t.Helper()
	return DialURL(s.t, s.NextURL(), nil)
}

// DialAt connects a client of the SDK at the i-th gateway, counted from 0. It is closed with the test.
func (s *Site) DialAt(i int) *client.Client {
	s.t.Helper()
	return DialURL(s.t, s.URLOf(i), nil)
}

// DialURL connects a client of the SDK. It is closed with the test.
func DialURL(t testing.TB, url string, opts *client.Options) *client.Client {
	t.Helper()
	c, err := client.Dial(Context(t), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
