package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// The programs, by the name of their executable.
const (
	NATSServer = "nats-server"
	Rooms      = "rooms"
	Gateway    = "gateway"
	Standalone = "standalone"
	Loadgen    = "loadgen"
	Signalctl  = "signalctl"
)

// source says in which module's folder a program is built, and from which package.
var source = map[string]struct{ dir, pkg string }{
	NATSServer: {"services/e2e", "github.com/nats-io/nats-server/v2"},
	Rooms:      {"services/rooms", "./cmd/rooms"},
	Gateway:    {"services/gateway", "./cmd/gateway"},
	Standalone: {"services/standalone", "./cmd/standalone"},
	Loadgen:    {"pkg/client/loadgen", "."},
	Signalctl:  {"services/signalctl", "./cmd/signalctl"},
}

// builder builds each program at most once.
type builder struct {
	// race builds our programs with the race detector. nats-server is not ours to debug.
	race bool
	// tags are those of the build of our programs.
	tags string
	// profile is what the compiler optimises our programs by.
	profile string

	mu    sync.Mutex // guards built, and makes builds follow each other: two at once take no less time
	built map[string]string
}

// path returns the executable of a program, which is built when it is first asked for. It stays in .bin of the repository:
// when nothing has changed, the next build takes no time.
func (b *builder) path(ctx context.Context, program string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if path := b.built[program]; path != "" {
		return path, nil
	}
	src, ok := source[program]
	if !ok {
		return "", fmt.Errorf("there is no program %q", program)
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	args, folder := []string{"build"}, "lab"
	if b.race && program != NATSServer {
		args, folder = append(args, "-race"), "lab-race"
	}
	if b.tags != "" && program != NATSServer {
		args, folder = append(args, "-tags", b.tags), folder+"-"+b.tags
	}
	if b.profile != "" && program != NATSServer {
		args, folder = append(args, "-pgo", b.profile), folder+"-pgo"
	}
	path := filepath.Join(root, ".bin", folder, program)
	build := exec.CommandContext(ctx, "go", append(args, "-o", path, src.pkg)...) //nolint:gosec // G204: all arguments are ours
	build.Dir = filepath.Join(root, src.dir)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s in %s: %w\n%s", strings.Join(build.Args, " "), build.Dir, err, out)
	}
	if b.built == nil {
		b.built = make(map[string]string)
	}
	b.built[program] = path
	return path, nil
}

// Path builds a program, unless that was done, and returns where it is.
func (l *Lab) Path(ctx context.Context, program string) (string, error) {
	return l.builder.path(ctx, program)
}

// Repository is the folder of go.work, the working directory or one above it.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.work in the working directory or above it: run this inside the repository")
		}
		dir = parent
	}
}
