package signalctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signalling/pkg/client"
	"signalling/pkg/token"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
	"signalling/services/e2e/natskeys"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// secret signs the clients' tokens.
const secret = "a secret of thirty-two bytes or more"

// site is a NATS node with keys, two rooms instances and two gateways whose sessions are resumed.
type site struct {
	t        *testing.T
	lab      *lab.Lab
	nats     *natscluster.Site
	rooms    []*lab.Process
	gateways []*lab.Process
	tokens   []string
}

func start(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, lab: labtest.NewLab(t)}
	ctx := labtest.BuildContext(t)
	if err := s.lab.Build(ctx, lab.NATSServer, lab.Rooms, lab.Gateway, lab.Signalctl); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.nats, err = natscluster.New(s.lab, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.nats.Start(ctx); err != nil {
		t.Fatal(err)
	}
	env := []string{
		"GATEWAY_AUTH_SECRET=" + secret, "GATEWAY_RESUME_WINDOW=30s", "GATEWAY_RESUME_SECRET=" + secret, "GATEWAY_COMMAND_TIMEOUT=15s",
	}
	s.rooms = []*lab.Process{s.nats.Rooms("rooms-1", "ROOMS_OWNERSHIP=kv"), s.nats.Rooms("rooms-2", "ROOMS_OWNERSHIP=kv")}
	s.gateways = []*lab.Process{s.nats.Gateway("gateway-1", env...), s.nats.Gateway("gateway-2", env...)}
	all := append(append([]*lab.Process{}, s.rooms...), s.gateways...)
	for _, p := range all {
		if err := p.Launch(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range all {
		if err := p.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// dial connects a client with a token at the i-th gateway.
func (s *site) dial(i int) *client.Client {
	s.t.Helper()
	text, err := token.Sign([]byte(secret), token.Order{Subject: "somebody", Lifetime: time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
	s.tokens = append(s.tokens, text)
	url, err := lab.ClientURL(labtest.Context(s.t), s.gateways[i])
	if err != nil {
		s.t.Fatal(err)
	}
	return labtest.DialURL(s.t, url, &client.Options{Token: text})
}

// id is that of the i-th gateway.
func (s *site) id(i int) string {
	s.t.Helper()
	id, err := s.gateways[i].LogField(labtest.Context(s.t), "gateway")
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// outcome is what a command has said.
type outcome struct {
	out, err string
	code     int
}

// command makes a command with a holder's key.
func (s *site) command(ctx context.Context, holder string, args ...string) *exec.Cmd {
	s.t.Helper()
	path, err := s.lab.Path(ctx, lab.Signalctl)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"NATS_URL=" + s.nats.URL(), "NATS_NKEY=" + s.nats.Key(holder), "NATS_TLS_CA=" + s.nats.CA(holder), "GORACE=atexit_sleep_ms=50"}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// runAs runs a command to its end.
func (s *site) runAs(holder string, args ...string) outcome {
	s.t.Helper()
	cmd := s.command(labtest.Context(s.t), holder, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	o := outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	s.t.Logf("$ signalctl %s\n%s%s", strings.Join(args, " "), o.out, o.err)
	return o
}

// run runs a command as an operator, which must end with a code, and returns what it said.
func (s *site) run(code int, args ...string) outcome {
	s.t.Helper()
	o := s.runAs(natskeys.Admin, args...)
	if o.code != code {
		s.t.Fatalf("signalctl %q: exit code %d, want %d: %s%s", args, o.code, code, o.out, o.err)
	}
	return o
}

// runJSON runs a command with -json and reads what it says.
func runJSON[T any](s *site, code int, args ...string) (v T) {
	s.t.Helper()
	o := s.run(code, append(args, "-json")...)
	if err := json.Unmarshal([]byte(o.out), &v); err != nil {
		s.t.Fatalf("signalctl %q: %v: %s", args, err, o.out)
	}
	return v
}

// says wants all the texts in what was said.
func (o outcome) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(o.out+o.err, text) {
			t.Errorf("%q is not in:\n%s%s", text, o.out, o.err)
		}
	}
}

// follow starts a command that goes on, and returns its lines, and a function that interrupts it and waits for its end.
func (s *site) follow(args ...string) (lines *labtest.Buffer, end func() error) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	cmd := s.command(ctx, natskeys.Admin, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	lines = &labtest.Buffer{}
	cmd.Stdout, cmd.Stderr = lines, io.Discard
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := false
	end = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		err := cmd.Wait()
		if cmd.ProcessState.ExitCode() == 0 {
			return nil // it was interrupted, which is how a tail ends
		}
		return err
	}
	s.t.Cleanup(func() { _ = end() })
	return lines, end
}

// eventually asks until yes is the answer.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(labtest.Patience); !yes(); <-every.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}
