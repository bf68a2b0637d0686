//go:build linux

package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/need"
)

// programs are what the tests need, and Debian's packages that have them.
var programs = []need.Tool{
	{Name: "unshare", Package: "util-linux"},
	{Name: "ip", Package: "iproute2"},
	{Name: "iptables", Package: "iptables"},
	{Name: "dockerd", Package: "docker.io"},
	{Name: "docker", Package: "docker.io"},
	{Name: "haproxy", Package: "haproxy"},
	{Name: "prometheus", Package: "prometheus"},
}

// programPath finds one of programs. Of several Docker clients it takes Debian's: others may want the builder buildx.
func programPath(name string) string {
	for _, folder := range []string{"/usr/bin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return name
	}
	return path
}

// engine is where the tests' Docker engine is. A test that has none is skipped, and fails in CI if something is not installed.
type engine struct {
	t    *testing.T
	dir  string
	root string // of the repository
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	for _, p := range programs {
		need.Program(t, p.Name, p.Package)
	}
	if cannot != "" {
		t.Skip(cannot)
	}
	root, err := lab.Repository()
	if err != nil {
		t.Fatal(err)
	}
	return &engine{t: t, dir: os.Getenv(insideVariable), root: root}
}

// docker runs a command of the client and returns what it printed.
func (e *engine) docker(args ...string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	out, err := docker(ctx, e.dir, nil, args...)
	if err != nil {
		e.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// docker runs a command of the client, and returns what it wrote on its standard output, with an error that has the rest.
func docker(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, programPath("docker"), args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+dir+"/sock", "DOCKER_CONFIG="+dir+"/config", "DOCKER_BUILDKIT=1",
		"BUILDKIT_PROGRESS=plain")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w\n%s", err, &stderr)
	}
	return stdout.String(), nil
}
