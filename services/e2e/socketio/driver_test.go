package socketio

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// driver is a Node process with any number of real clients in it.
type driver struct {
	t       testing.TB
	process *os.Process
	ended   chan struct{} // closed when the process has ended and all that it said was taken

	mu      sync.Mutex // guards what follows
	stdin   io.WriteCloser
	clients map[string]*nodeClient
}

// observation is one line from the driver.
type observation struct {
	Ref, What     string
	ID, Transport string
	Message       string
	Args          []any
	Ack, Code     int
	Connected     bool
	Recovered     bool
}

// root is the repository.
const root = "../../.."

// newDriver starts a driver that ends with the test.
func newDriver(t testing.TB) *driver {
	t.Helper()
	modules, node := need.Clients(t, root)
	cmd := exec.Command(node, "driver.js")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr labtest.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &driver{
		t: t, process: cmd.Process, ended: make(chan struct{}), stdin: stdin, clients: make(map[string]*nodeClient),
	}
	go func() {
		defer close(d.ended)
		d.read(stdout)
		_ = cmd.Wait() // by a signal, or by a fault that it has told on stderr
	}()
	t.Cleanup(func() {
		d.end()
		if text := stderr.String(); text != "" {
			t.Errorf("Node said:\n%s", text)
		}
	})
	return d
}

// read hands the driver's lines to the clients.
func (d *driver) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var o observation
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			d.t.Errorf("Node said %.200q: %v", lines.Bytes(), err)
			continue
		}
		d.mu.Lock()
		c := d.clients[o.Ref]
		d.mu.Unlock()
		c.saw(&o)
	}
}

// do gives the driver a command.
func (d *driver) do(command J) {
	d.t.Helper()
	line, err := json.Marshal(command)
	if err == nil {
		d.mu.Lock()
		_, err = d.stdin.Write(append(line, '\n'))
		d.mu.Unlock()
	}
	if err != nil {
		d.t.Fatalf("telling Node: %v", err)
	}
}

// kill ends the process in its tracks, and with it all its clients.
func (d *driver) kill() {
	d.t.Helper()
	if err := d.process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	<-d.ended
}

// freeze stops the process in its tracks; its connections stay.
func (d *driver) freeze() {
	d.t.Helper()
	if err := d.process.Signal(syscall.SIGSTOP); err != nil {
		d.t.Fatal(err)
	}
}

// end ends the process: it goes when its input ends, unless it is frozen.
func (d *driver) end() {
	_ = d.process.Signal(syscall.SIGCONT)
	d.mu.Lock()
	_ = d.stdin.Close()
	d.mu.Unlock()
	select {
	case <-d.ended:
	case <-time.After(labtest.Patience):
		d.t.Error("Node does not end")
		_ = d.process.Kill()
		<-d.ended
	}
}
