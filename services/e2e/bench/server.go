package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"signalling/services/e2e/lab"
)

// server is a target that runs.
type server struct {
	urls []string
	pids []int
	// admin are the addresses where our processes show their profiles.
	admin []string
	stop  func()
}

// start starts a target anew.
func (b *Bench) start(ctx context.Context, t Target, w *Work) (*server, error) {
	if t == Node {
		return b.startNode(ctx, w)
	}
	var o lab.Options
	if t == Guided {
		o.Profile = b.GuidedBy
	}
	l, err := lab.New(o)
	if err != nil {
		return nil, err
	}
	s, err := startProduct(ctx, l, t, w)
	if err != nil {
		l.Close()
		return nil, err
	}
	s.stop = l.Close
	return s, nil
}

// defaultGateways is how many Split has if the work does not say.
const defaultGateways = 2

func startProduct(ctx context.Context, l *lab.Lab, t Target, w *Work) (*server, error) {
	var env []string
	if w.Fresh {
		env = []string{fmt.Sprintf("GATEWAY_PING_INTERVAL=%ds", heartbeatSeconds), "GATEWAY_PING_TIMEOUT=3s", "GATEWAY_COMMAND_TIMEOUT=2s"}
	}
	var err error
	if t != Split {
		_, err = l.OneProcess(ctx, env...)
	} else {
		_, err = l.Separate(ctx, lab.Layout{Gateways: cmp.Or(w.Gateways, defaultGateways), GatewayEnv: env})
	}
	if err != nil {
		return nil, err
	}
	s := &server{}
	for _, p := range l.Processes() {
		if err := s.add(ctx, p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *server) add(ctx context.Context, p *lab.Process) error {
	pid, err := p.PID()
	if err != nil {
		return err
	}
	s.pids = append(s.pids, pid)
	if p.Program != lab.NATSServer {
		admin, err := lab.AdminAddr(ctx, p)
		if err != nil {
			return err
		}
		s.admin = append(s.admin, admin)
	}
	if p.Program == lab.Gateway || p.Program == lab.Standalone {
		u, err := lab.ClientURL(ctx, p)
		if err != nil {
			return err
		}
		s.urls = append(s.urls, "http"+strings.TrimSuffix(strings.TrimPrefix(u, "ws"), "/ws"))
	}
	return nil
}

// nodeFolder is where the peer is, from the repository's folder.
const nodeFolder = "pkg/client/loadgen/node"

// InstallNode installs what the peer needs, unless it is there.
func InstallNode(ctx context.Context, log io.Writer) error {
	root, err := lab.Repository()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, nodeFolder)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "socket.io", "package.json")); err == nil {
		return nil
	}
	c := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	c.Dir, c.Stdout, c.Stderr = dir, log, log
	if err := c.Run(); err != nil {
		return fmt.Errorf("npm ci in %s: %w", nodeFolder, err)
	}
	return nil
}

func (b *Bench) startNode(ctx context.Context, w *Work) (*server, error) {
	root, err := lab.Repository()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, "node", "server.js")
	c.Dir = filepath.Join(root, nodeFolder)
	c.Env = append(os.Environ(), "NODE_ENV=production", "PORT=0")
	if w.Fresh {
		c.Env = append(c.Env, "PING_INTERVAL="+strconv.Itoa(1000*heartbeatSeconds))
	}
	c.Stderr = b.Log
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if !ok {
		stop()
		return nil, errors.Join(fmt.Errorf("the Node server did not start: %q", line), err)
	}
	return &server{urls: []string{"http://127.0.0.1:" + port}, pids: []int{c.Process.Pid}, stop: stop}, nil
}
