package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// helperVariable makes the test binary a helper that starts a process, says its number and then waits.
const helperVariable = "SIGNALLING_LAB_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		helper()
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("signalling/services/e2e/lab.serveStarts"))
}

const patience = 60 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // nats-server may have to be built
	t.Cleanup(cancel)
	return ctx
}

// start1 starts a nats-server: of all our programs the one that is ready soonest.
func start1(t *testing.T) (*Lab, *Process) {
	t.Helper()
	l, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	p, err := l.NATS("nats", 0)
	if err == nil {
		err = p.Start(within(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, p
}

// greeted says whether a NATS server answers at the process's address.
func greeted(t *testing.T, p *Process) bool {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(within(t), "tcp", strings.TrimPrefix(NATSURL(p), "nats://"))
	if err != nil {
		return false
	}
	defer nc.Close()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	hello := make([]byte, 5)
	_, err = nc.Read(hello)
	return err == nil && string(hello) == "INFO "
}

func TestAProcessIsStoppedKilledAndStartedAgainAtItsAddress(t *testing.T) {
	l, p := start1(t)
	if !p.Running() || !greeted(t, p) {
		t.Fatal("it does not run")
	}
	if code, err := p.Stop(within(t)); code != 0 || err != nil {
		t.Errorf("exit code %d, error %v", code, err)
	}
	if p.Running() || greeted(t, p) {
		t.Error("it still runs")
	}
	for range 3 {
		if err := p.Start(within(t)); err != nil {
			t.Fatal(err)
		}
		if !greeted(t, p) {
			t.Error("it does not run again")
		}
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if code, err := p.Wait(within(t)); code != -1 || err != nil {
			t.Errorf("exit code %d, error %v", code, err)
		}
	}
	if err := p.Kill(); !errors.Is(err, errNotRunning) {
		t.Errorf("killing it again: %v", err)
	}
	if problems := l.Problems(nil); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

func TestAPausedProcessDoesNothing(t *testing.T) {
	_, p := start1(t)
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	waitForState(t, p.run.cmd.Process.Pid, "T")
	if !p.Running() {
		t.Error("a paused process counts as ended")
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if !greeted(t, p) {
		t.Error("it does not go on")
	}
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil { // also works on a paused one
		t.Error(err)
	}
}

func TestAnEndThatNobodyAskedForIsAProblem(t *testing.T) {
	l, p := start1(t)
	_ = syscall.Kill(p.run.cmd.Process.Pid, syscall.SIGKILL)
	<-p.Ended()
	if problems := l.Problems(nil); len(problems) != 1 || !strings.Contains(problems[0], "nats ended by itself") {
		t.Errorf("problems %q", problems)
	}
}

func TestAProcessThatDoesNotComeUpIsSaidToBe(t *testing.T) {
	l, p := start1(t)
	again, err := l.NATS("second", 0)
	if err != nil {
		t.Fatal(err)
	}
	again.Args[3] = p.Args[3] // the same port
	if err := again.Start(within(t)); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
	if err := p.Start(within(t)); err == nil {
		t.Error("it was started twice")
	}
}

func TestACloseLeavesNothing(t *testing.T) {
	l, p := start1(t)
	pid := p.run.cmd.Process.Pid
	l.Close()
	waitForState(t, pid, "")
	if _, err := os.Stat(l.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if err := p.Start(within(t)); !errors.Is(err, errClosed) {
		t.Errorf("error %v", err)
	}
}

// The end of the lab's own process ends the processes, however it comes.
func TestTheEndOfTheParentLeavesNoProcess(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := exec.CommandContext(within(t), os.Args[0])
			cmd.Env = append(os.Environ(), helperVariable+"=1")
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			var pid int
			if _, err := fmt.Fscanln(out, &pid); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Process.Signal(sig)
			_ = cmd.Wait()
			waitForState(t, pid, "")
		})
	}
}

// helper starts a nats-server and waits to be ended.
func helper() {
	l, err := New(Options{})
	if err != nil {
		panic(err)
	}
	p, err := l.NATS("nats", 0)
	if err == nil {
		err = p.Start(context.Background())
	}
	if err != nil {
		panic(err)
	}
	_ = os.RemoveAll(l.Dir())
	fmt.Println(p.run.cmd.Process.Pid)
	select {}
}

// waitForState waits until a process is in a state of proc(5), "" for none.
func waitForState(t *testing.T, pid int, want string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		state := ""
		if err == nil {
			state = strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[0]
		}
		if state == want || (want == "" && state == "Z") { // a zombie only waits to be counted
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is in state %q, want %q", pid, state, want)
		}
		time.Sleep(time.Millisecond) // there is no notification
	}
}
