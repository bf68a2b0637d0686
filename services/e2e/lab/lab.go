package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// Options change how a Lab works.
type Options struct {
	// Race builds our programs with the race detector. nats-server is built without.
	Race bool
	// Tags, comma-separated, are build tags of our programs.
	Tags string
	// Profile, if set, is the file of a CPU profile, by absolute path, by which our programs are optimised.
	Profile string
	// Mirror, if set, gets every line of every log, with the process's name before it.
	Mirror io.Writer
}

// Lab is a set of processes. It must be closed.
type Lab struct {
	builder builder
	mirror  io.Writer
	dir     string // working directory of the processes, removed at the end

	mu        sync.Mutex // guards what follows
	processes []*Process
	closed    bool
}

// errClosed is returned for a start in a Lab that is closed.
var errClosed = errors.New("the lab is closed")

// New makes a Lab with no processes.
func New(o Options) (*Lab, error) {
	dir, err := os.MkdirTemp("", "signalling-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{builder: builder{race: o.Race, tags: o.Tags, profile: o.Profile}, dir: dir}
	if o.Mirror != nil {
		l.mirror = &lockedWriter{w: o.Mirror}
	}
	return l, nil
}

// Add adds a process, which is not started.
func (l *Lab) Add(spec Spec) *Process {
	p := &Process{Spec: spec, lab: l, log: newLog(spec.Name, l.mirror)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = append(l.processes, p)
	return p
}

// Dir is a folder that is removed with the lab.
func (l *Lab) Dir() string { return l.dir }

// Build builds programs ahead of their first start.
func (l *Lab) Build(ctx context.Context, programs ...string) error {
	for _, program := range programs {
		if _, err := l.builder.path(ctx, program); err != nil {
			return err
		}
	}
	return nil
}

// Processes returns all processes, in the order in which they were added.
func (l *Lab) Processes() []*Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Process(nil), l.processes...)
}

// admit starts a run unless the lab is closed: a start that races with Close must not survive it.
func (l *Lab) admit(p *Process, r *run) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if p.Running() {
		return errors.New("runs already")
	}
	if err := start(r.cmd.Start); err != nil {
		return err
	}
	p.mu.Lock()
	p.run = r
	p.mu.Unlock()
	return nil
}

// Revive starts those processes that do not run, and waits until all are ready.
func Revive(ctx context.Context, all []*Process) error {
	for _, p := range all {
		if !p.Running() {
			if err := p.Launch(ctx); err != nil {
				return err
			}
		}
	}
	errs := make([]error, len(all))
	var ready sync.WaitGroup
	for i, p := range all {
		ready.Go(func() { errs[i] = p.Ready(ctx) })
	}
	ready.Wait()
	return errors.Join(errs...)
}

// StopAll stops all processes by SIGTERM, the last one added first, and kills those that do not end in time. It returns
// an error for each that did not end with exit code 0.
func (l *Lab) StopAll(ctx context.Context) error {
	var errs []error
	processes := l.Processes()
	for _, p := range slices.Backward(processes) {

		if !p.Running() {
			continue
		}
		code, err := p.Stop(ctx)
		switch {
		case errors.Is(err, errNotRunning): // it has just ended
		case err != nil:
			errs = append(errs, err)
		case code != 0:
			errs = append(errs, fmt.Errorf("%s ended with exit code %d", p.Name, code))
		}
	}
	return errors.Join(errs...)
}

// Close kills what still runs and removes the lab's files. No process can be started any more.
func (l *Lab) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range l.Processes() {
		if p.Running() {
			all.Go(func() { _ = p.Kill() })
		}
	}
	all.Wait()
	_ = os.RemoveAll(l.dir)
}

// Mark is a moment in the lab's logs.
type Mark map[*Process]int

// Mark returns this moment.
func (l *Lab) Mark() Mark {
	m := Mark{}
	for _, p := range l.Processes() {
		m[p] = p.log.Position()
	}
	return m
}

// Problems returns what must not happen and has happened since a mark: data races, panics, and processes that ended
// without being told to.
func (l *Lab) Problems(since Mark) (all []string) {
	for _, p := range l.Processes() {
		all = append(all, p.problems(since[p])...)
	}
	return all
}

// Tails returns the last n lines that each process has logged since a mark.
func (l *Lab) Tails(since Mark, n int) (all string) {
	for _, p := range l.Processes() {
		if tail := p.log.Tail(since[p], n); tail != "" {
			all += fmt.Sprintf("--- %s\n%s\n", p.Name, tail)
		}
	}
	return all
}

// lockedWriter lets several logs share a writer.
type lockedWriter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}
