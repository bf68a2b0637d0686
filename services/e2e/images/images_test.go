//go:build linux

package images

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

const version = "v1.2.3-test"

// targets of the Dockerfile.
var targets = []string{"gateway", "rooms", "standalone", "signalctl"}

// built makes the images once.
var built sync.Once

// build makes the images of all targets, and the stand-ins that they and compose.yml need.
func (e *engine) build() {
	e.t.Helper()
	built.Do(func() {
		e.standIns()
		proxy := e.modules()
		for _, target := range targets {
			began := time.Now()
			e.docker("build", "--network", "host", "--build-arg", "GOPROXY="+proxy, "--build-arg", "VERSION="+version,
				"-f", filepath.Join(e.root, "deploy", "Dockerfile"), "--target", target, "-t", "signalling/"+target, e.root)
			e.t.Logf("%s was built in %v", target, time.Since(began))
		}
	})
	for _, target := range targets {
		e.docker("image", "inspect", "signalling/"+target) // a test before this one may have failed
	}
}

func (e *engine) standIns() {
	e.t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	l, err := lab.New(lab.Options{})
	if err != nil {
		e.t.Fatal(err)
	}
	defer l.Close()
	server, err := l.Path(e.t.Context(), lab.NATSServer)
	if err != nil {
		e.t.Fatal(err)
	}
	for name, i := range map[string]*image{
		"golang:1.26": golang(strings.TrimSpace(string(goroot))), "nats:2.15": nats(server),
		"haproxy:3.2": haproxy(), "prom/prometheus:v3.8.1": prometheus(),
	} {
		if err := i.load(e.t.Context(), e.dir, name); err != nil {
			e.t.Fatalf("%s: %v", name, err)
		}
	}
}

// modules serves this machine's module cache to builds, and returns its address.
func (e *engine) modules() string {
	e.t.Helper()
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
	files := http.FileServer(http.Dir(filepath.Join(strings.TrimSpace(string(cache)), "cache", "download")))
	served := make(chan struct{})
	s := &http.Server{Handler: files}
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	e.t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return "http://" + l.Addr().String()
}

// inspected is what the tests read of docker inspect.
type inspected struct {
	Size   int64
	Config struct {
		User        string
		Entrypoint  []string
		Healthcheck struct{ Test []string }
	}
}

// TestImages looks at what is in the images: a program, the authorities, a user without rights, and nothing else.
func TestImages(t *testing.T) {
	e := newEngine(t)
	e.build()
	for _, target := range targets {
		t.Run(target, func(t *testing.T) {
			e := newEngine(t)
			var all []inspected
			if err := json.Unmarshal([]byte(e.docker("image", "inspect", "signalling/"+target)), &all); err != nil {
				t.Fatal(err)
			}
			i := all[0]
			program := "/" + target
			health := []string{"CMD", program, "healthcheck"}
			if target == "signalctl" {
				health = nil // it is no service
			}
			if i.Config.User != "65532:65532" || !slices.Equal(i.Config.Entrypoint, []string{program}) ||
				!slices.Equal(i.Config.Healthcheck.Test, health) {
				t.Errorf("%+v", i.Config)
			}
			t.Logf("%.1f MB", float64(i.Size)/1e6)
			want := []string{"etc/ssl/certs/ca-certificates.crt", target}
			if got := e.files("signalling/" + target); !slices.Equal(got, want) {
				t.Errorf("files %q, want %q", got, want)
			}
			out := e.docker("run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none", "signalling/"+target, "--version")
			if out != target+" "+version {
				t.Errorf("--version says %q", out)
			}
		})
	}
}

// files lists the files of an image, without those that the engine adds to each container.
func (e *engine) files(image string) (all []string) {
	e.t.Helper()
	id := e.docker("create", image)
	defer e.docker("rm", id)
	out := filepath.Join(e.t.TempDir(), "image.tar")
	e.docker("export", "-o", out, id)
	file := openFile(e.t, out)
	for t := tar.NewReader(file); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			e.t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && !slices.Contains([]string{".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/console"}, h.Name) {
			all = append(all, h.Name)
		}
	}
	slices.Sort(all)
	return all
}

// TestStandaloneImage runs the image as the documentation says, and stops it.
func TestStandaloneImage(t *testing.T) {
	e := newEngine(t)
	e.build()
	id := e.docker("run", "-d", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-e", "GATEWAY_AUTH=open",
		"--health-interval", "1s", "-p", "127.0.0.1:8099:8080", "signalling/standalone")
	defer e.docker("rm", "-f", id)
	e.until("healthy", func() string { return e.docker("inspect", "-f", "{{.State.Health.Status}}", id) })
	a, b := labtest.DialURL(t, "ws://127.0.0.1:8099/ws", nil), labtest.DialURL(t, "ws://127.0.0.1:8099/ws", nil)
	meet(t, a, b, "room")
	e.docker("stop", "-t", "30", id)
	if code := e.docker("inspect", "-f", "{{.State.ExitCode}}", id); code != "0" {
		t.Errorf("it ended with code %s\n%s", code, e.docker("logs", id))
	}
}

// TestNobodyIsLetInUnasked: beyond loopback, and in a container it always is, who may connect has to be said.
func TestNobodyIsLetInUnasked(t *testing.T) {
	e := newEngine(t)
	e.build()
	ctx := labtest.Context(t)
	_, err := docker(ctx, e.dir, nil, "run", "--rm", "--read-only", "signalling/standalone")
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || !strings.Contains(err.Error(), "GATEWAY_AUTH") {
		t.Errorf("it ended with %v", err)
	}
}
