//go:build linux

package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// patience bounds each command to the engine; the first build compiles everything.
const patience = 5 * time.Minute

// insideVariable tells this program that it runs in namespaces of its own, and the folder that it may use.
const insideVariable = "SIGNALLING_IMAGES_INSIDE"

// namespaces prepares them: containers need a writable sysctl of the new network, and the hierarchy of control groups as it is.
const namespaces = `set -e
mount --rbind /sys/fs/cgroup /mnt
mount -t sysfs sysfs /sys
mount --rbind /mnt /sys/fs/cgroup
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
exec "$0" "$@"`

func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) != "" {
		os.Exit(inside(m))
	}
	os.Exit(outside(m))
}

// cannot is why there is no engine, "" if there is one.
var cannot string

// outside runs this program again in namespaces of its own, or the tests here, where each says what is missing.
func outside(m *testing.M) int {
	if os.Geteuid() != 0 {
		cannot = "a Docker engine of its own needs root"
		return m.Run()
	}
	if len(need.Missing(programs...)) > 0 {
		return m.Run()
	}
	if out, err := exec.Command("unshare", "-m", "-n", "--propagation", "private", "sh", "-c", namespaces, "true").CombinedOutput(); err != nil {
		cannot = fmt.Sprintf("this system gives no namespaces: %v: %s", err, out)
		return m.Run()
	}
	code, err := again()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// again runs this program in namespaces, with the same arguments, after all has been fetched and built that needs a network.
func again() (code int, err error) {
	dir, err := os.MkdirTemp("", "sig-img-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := prepare(); err != nil {
		return 0, err
	}
	runtime.LockOSThread() // the kernel watches the thread that made the child
	args := append([]string{"-m", "-n", "--propagation", "private", "sh", "-c", namespaces, os.Args[0]}, os.Args[1:]...)
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), insideVariable+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// prepare fetches the modules that the images are built of, and builds nats-server.
func prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	root, err := lab.Repository()
	if err != nil {
		return err
	}
	for _, service := range []string{"gateway", "rooms", "standalone", "signalctl"} {
		cmd := exec.CommandContext(ctx, "go", "mod", "download")
		cmd.Dir = filepath.Join(root, "services", service)
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go mod download in %s: %w\n%s", cmd.Dir, err, out)
		}
	}
	l, err := lab.New(lab.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Build(ctx, lab.NATSServer)
}

// inside starts the engine, runs the tests and ends it.
func inside(m *testing.M) int {
	runtime.LockOSThread()
	dir := os.Getenv(insideVariable)
	log := new(labtest.Buffer)
	cmd := exec.Command(programPath("dockerd"), "--data-root", dir+"/data", "--exec-root", dir+"/run", "--pidfile", dir+"/pid",
		"-H", "unix://"+dir+"/sock", "--config-file", dir+"/none.json", "--log-level", "error")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := os.WriteFile(dir+"/none.json", []byte("{}"), 0o600); err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	if err := answers(dir, ended); err != nil {
		cannot = fmt.Sprintf("dockerd does not run on this system: %v\n%s", err, log)
	} else if err := runs(dir); err != nil {
		cannot = fmt.Sprintf("dockerd runs no containers on this system: %v\n%s", err, log)
	}
	code := m.Run()
	if said := log.String(); code != 0 {
		fmt.Fprintf(os.Stderr, "dockerd said last:\n%s\n", said[max(0, len(said)-4096):])
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
	}
	return code
}

// answers waits until the engine does.
func answers(dir string, ended chan struct{}) error {
	tick := time.NewTicker(50 * time.Millisecond) // it offers no notification
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for {
		out, err := docker(context.Background(), dir, nil, "version", "--format", "{{.Server.Version}}")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errors.New("it has ended")
		case <-timeout:
			return fmt.Errorf("%w: %s", err, out)
		}
	}
}

// runs tries a container with what ours have, on a network with a published port.
func runs(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	image := new(image)
	image.program("/bin/sh")
	if err := image.load(ctx, dir, "probe"); err != nil {
		return err
	}
	out, err := docker(ctx, dir, nil, "run", "--rm", "--read-only", "--cap-drop", "ALL", "-p", "127.0.0.1:65001:1", "probe", "/bin/sh", "-c", ":")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
