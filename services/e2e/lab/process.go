package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Spec describes a process.
type Spec struct {
	// Name is what reports call it.
	Name string
	// Program is one of the constants of this package.
	Program string
	Args    []string
	// Env is the whole environment, NAME=value.
	Env []string
	// ready returns when the started process can be used.
	ready func(context.Context, *Process) error
}

// Process is one program that runs, or ran, or will run. Methods that change it are for one goroutine at a time.
type Process struct {
	Spec
	lab *Lab
	log *Log

	mu      sync.Mutex // guards what follows
	run     *run       // the present or last one; nil before the first
	strange []string   // ends that nobody asked for
}

// run is one life of a process.
type run struct {
	cmd   *exec.Cmd
	start int               // position of its first line in the log
	ended chan struct{}     // closed when it has ended and its log is complete
	asked bool              // it was told to end; guarded by Process.mu
	addrs map[string]string // by what they are for, once known; guarded by Process.mu
}

// killPatience is how long the end of a killed process may take.
const killPatience = 10 * time.Second

// errNotRunning is returned for a process that is not running.
var errNotRunning = errors.New("is not running")

// Start starts the process, again if it has ended, and waits until it is ready.
func (p *Process) Start(ctx context.Context) error {
	if err := p.Launch(ctx); err != nil {
		return err
	}
	return p.Ready(ctx)
}

// Launch starts the process and does not wait.
func (p *Process) Launch(ctx context.Context) error {
	path, err := p.lab.builder.path(ctx, p.Program)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, p.Args...) //nolint:gosec,noctx // G204: ours; it ends by Kill or Stop, not with a context
	cmd.Env, cmd.Dir = p.Env, p.lab.dir
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = killPatience
	cmd.SysProcAttr = attributes()
	r := &run{cmd: cmd, start: p.log.Position(), ended: make(chan struct{}), addrs: map[string]string{}}
	if err := p.lab.admit(p, r); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	go p.await(r)
	return nil
}

// await collects the process when it ends.
func (p *Process) await(r *run) {
	err := r.cmd.Wait()
	p.mu.Lock()
	if !r.asked {
		p.strange = append(p.strange, fmt.Sprintf("%s ended by itself: %v", p.Name, err))
	}
	p.mu.Unlock()
	close(r.ended)
}

// Ready waits until the process can be used, and fails if it ends before.
func (p *Process) Ready(ctx context.Context) error {
	r, err := p.current()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-r.ended:
			cancel(errors.New("it has ended"))
		case <-stop:
		}
	}()
	if err := p.ready(ctx, p); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%s did not become ready: %w\n%s", p.Name, err, p.log.Tail(r.start, 20))
	}
	return nil
}

// Kill ends the process by SIGKILL and waits for its end.
func (p *Process) Kill() error {
	r, err := p.ask(syscall.SIGKILL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	return p.wait(ctx, r)
}

// Stop ends the process by SIGTERM, waits for its end, and returns its exit code.
func (p *Process) Stop(ctx context.Context) (code int, err error) {
	if err := p.Terminate(); err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

// Terminate sends SIGTERM and does not wait.
func (p *Process) Terminate() error {
	_, err := p.ask(syscall.SIGTERM)
	return err
}

// MayEnd says that the present run may end by itself, because somebody else tells it to.
func (p *Process) MayEnd() error {
	r, err := p.current()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.asked = true
	return nil
}

// Wait waits for the end of the process and returns its exit code, -1 if a signal ended it.
func (p *Process) Wait(ctx context.Context) (code int, err error) {
	r, err := p.current()
	if err != nil {
		return 0, err
	}
	if err := p.wait(ctx, r); err != nil {
		return 0, err
	}
	return r.cmd.ProcessState.ExitCode(), nil
}

// Pause stops the process in its tracks by SIGSTOP; its connections stay. Resume lets it go on.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

// Running says whether the process runs, or is paused.
func (p *Process) Running() bool {
	r, err := p.current()
	if err != nil {
		return false
	}
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// Ended is closed when the present run has ended.
func (p *Process) Ended() <-chan struct{} {
	r, err := p.current()
	if err != nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	return r.ended
}

// Silent says whether the present run has written nothing so far. Until our programs do, a signal has its usual effect on them.
func (p *Process) Silent() bool {
	r, err := p.current()
	return err == nil && p.log.Position() == r.start
}

// Log is what the process wrote, over all its runs.
func (p *Process) Log() *Log { return p.log }

// Addr waits for the address of a listener of the present run, by what its log line says it is for.
func (p *Process) Addr(ctx context.Context, what string) (string, error) {
	r, err := p.current()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	addr := r.addrs[what]
	p.mu.Unlock()
	if addr != "" {
		return addr, nil
	}
	addr, err = p.log.wait(ctx, r.start, listening(what))
	if err != nil {
		return "", fmt.Errorf("%s does not say where it listens for %s: %w", p.Name, what, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.addrs[what] = addr
	return addr, nil
}

// LogField waits for a field of any log line of the present run, in JSON, and returns its first value.
func (p *Process) LogField(ctx context.Context, name string) (string, error) {
	r, err := p.current()
	if err != nil {
		return "", err
	}
	value, err := p.log.wait(ctx, r.start, func(line string) (string, bool) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil {
			return "", false
		}
		value, ok := fields[name].(string)
		return value, ok
	})
	if err != nil {
		return "", fmt.Errorf("%s does not log %q: %w", p.Name, name, err)
	}
	return value, nil
}

// problems are log lines from a position on that no log may have, and ends that nobody asked for.
func (p *Process) problems(position int) (all []string) {
	for _, line := range p.log.bad(position) {
		all = append(all, p.Name+": "+line)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(all, p.strange...)
}

func (p *Process) current() (*run, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return nil, fmt.Errorf("%s %w", p.Name, errNotRunning)
	}
	return p.run, nil
}

// ask sends a signal that is to end the process.
func (p *Process) ask(sig syscall.Signal) (*run, error) {
	r, err := p.current()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	r.asked = true
	p.mu.Unlock()
	return r, p.signal(sig)
}

// signal reaches the whole process group.
func (p *Process) signal(sig syscall.Signal) error {
	if !p.Running() {
		return fmt.Errorf("%s %w", p.Name, errNotRunning)
	}
	r, err := p.current()
	if err != nil {
		return err
	}
	return syscall.Kill(-r.cmd.Process.Pid, sig)
}

func (p *Process) wait(ctx context.Context, r *run) error {
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", p.Name, ctx.Err())
	}
}

// PID is the process's id; an error if it never ran.
func (p *Process) PID() (int, error) {
	r, err := p.current()
	if err != nil {
		return 0, err
	}
	return r.cmd.Process.Pid, nil
}
