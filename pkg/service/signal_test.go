package service

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable makes this test binary be a program of ours: its value says
// how the program takes a signal.
const childVariable = "SERVICE_TEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childVariable); how != "" {
		Main(Program{Name: "child", Run: func(ctx context.Context, log *slog.Logger) error {
			return child(ctx, log, how)
		}})
	}
	os.Exit(m.Run())
}

// child says on standard error when it runs and when it was asked to end.
func child(ctx context.Context, log *slog.Logger, how string) error {
	log.Info("child runs")
	<-ctx.Done()
	log.Info("child was asked to end")
	if how == "hang" {
		select {}
	}
	return ctx.Err()
}

// process is a child that is running.
type process struct {
	cmd *exec.Cmd
	log *bufio.Scanner
}

func startChild(t *testing.T, how string) process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childVariable+"="+how)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{cmd, bufio.NewScanner(stderr)}
	p.waitFor(t, "child runs")
	return p
}

func (p process) waitFor(t *testing.T, line string) {
	t.Helper()
	for p.log.Scan() {
		if strings.Contains(p.log.Text(), line) {
			return
		}
	}
	t.Fatalf("the child ended without logging %q", line)
}

// wait returns how the child ended.
func (p process) wait(t *testing.T) syscall.WaitStatus {
	t.Helper()
	for p.log.Scan() {
		t.Log(p.log.Text())
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatal("no wait status")
	}
	return ws
}

func (p process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func TestASignalEndsTheProgramCleanly(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		p := startChild(t, "obey")
		p.signal(t, s)
		p.waitFor(t, "child was asked to end")
		if ws := p.wait(t); !ws.Exited() || ws.ExitStatus() != ExitOK {
			t.Errorf("%v: exited %v with %d, want exit code 0", s, ws.Exited(), ws.ExitStatus())
		}
	}
}

func TestASecondSignalKills(t *testing.T) {
	p := startChild(t, "hang")
	p.signal(t, syscall.SIGTERM)
	p.waitFor(t, "child was asked to end")
	// The first signal restores the default effect a moment after ctx ends,
	// so a second that comes too soon is swallowed: an operator repeats it.
	died := make(chan syscall.WaitStatus, 1)
	go func() { died <- p.wait(t) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case ws := <-died:
			if !ws.Signaled() || ws.Signal() != syscall.SIGTERM {
				t.Errorf("the child ended with %v, want death by SIGTERM", ws)
			}
			return
		case <-tick.C:
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be dead already
		}
	}
}
