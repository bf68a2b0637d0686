package wsock

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// ownPair is a connection that the watcher waits for, as a Conn without anything else, and its peer.
func ownPair(t *testing.T) (*detached, *net.TCPConn) {
	t.Helper()
	server, client := socketPair(t)
	c := &Conn{o: (&Options{}).withDefaults(), nc: server}
	var err error
	if c.in.rc, err = server.(socket).SyscallConn(); err != nil {
		t.Fatal(err)
	}
	c.detach()
	t.Cleanup(func() {
		c.Drop()
		_ = client.Close()
	})
	return c.nc.(*detached), client
}

// later runs f when the test waits for something else, as a rule.
func later(f func()) { time.AfterFunc(time.Duration(rand.N(int64(time.Millisecond))), f) }

func TestReadsThatWait(t *testing.T) {
	d, client := ownPair(t)
	buf := make([]byte, 10)
	for range 50 {
		later(func() { _, _ = client.Write([]byte("later")) })
		if n, err := d.Read(buf); err != nil || string(buf[:n]) != "later" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		_ = d.SetReadDeadline(time.Now().Add(time.Duration(rand.N(int64(time.Millisecond)))))
		if n, err := d.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%q, %v at the deadline", buf[:n], err)
		}
		_ = d.SetReadDeadline(time.Time{})
		later(func() { _ = d.SetReadDeadline(time.Now()) })
		if n, err := d.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%q, %v with a deadline that came while it waited", buf[:n], err)
		}
		_ = d.SetDeadline(time.Time{})
	}
	later(func() { _ = client.CloseWrite() })
	if n, err := d.Read(buf); !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v at the end", buf[:n], err)
	}
	if n, err := d.Read(buf); !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v behind the end", buf[:n], err)
	}
}

func TestACloseEndsWaits(t *testing.T) {
	for range 50 {
		d, _ := ownPair(t)
		later(d.c.Drop)
		if n, err := d.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("read %d, %v", n, err)
		}
		if err := d.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}

		d, _ = ownPair(t)
		if !d.joinRuntime() {
			t.Fatal("the runtime does not wait for it")
		}
		later(d.c.Drop)
		if n, err := d.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("read %d, %v, while the runtime waited", n, err)
		}

		d, _ = ownPair(t)
		big := make([]byte, 16<<20)
		later(d.c.Drop)
		if n, err := d.Write(big); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("written %d, %v", n, err)
		}
		if err := d.Control(func(uintptr) { t.Error("a descriptor that is closed") }); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

// What the system does not take at once follows when the peer has read, all of it and in order.
func TestWritesThatWait(t *testing.T) {
	d, client := ownPair(t)
	var pieces net.Buffers
	var want []byte
	for i := range 3 * maxPieces {
		piece := bytes.Repeat([]byte{byte(i)}, rand.N(8<<10))
		pieces, want = append(pieces, piece), append(want, piece...)
	}
	written := make(chan error, 1)
	go func() {
		n, err := d.writev(&pieces)
		if err == nil && n != int64(len(want)) {
			err = io.ErrShortWrite
		}
		written <- errors.Join(err, d.CloseWrite())
	}()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d have come, or others: %v", len(got), len(want), err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// A deadline ends a write, which tells how much is written.
func TestAWriteThatIsNotRead(t *testing.T) {
	d, client := ownPair(t)
	out := net.Buffers{make([]byte, 16<<20)}
	_ = d.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := d.writev(&out)
	if !errors.Is(err, os.ErrDeadlineExceeded) || len(out) != 1 || int64(len(out[0])) != 16<<20-n {
		t.Fatalf("%d, %v", n, err)
	}
	if m, err := d.writev(&out); !errors.Is(err, os.ErrDeadlineExceeded) || m != 0 {
		t.Fatalf("%d, %v behind the deadline", m, err)
	}
	_ = d.Close()
	if got, err := io.ReadAll(client); err != nil || int64(len(got)) != n {
		t.Errorf("%d have come of %d, %v", len(got), n, err)
	}
}

// A connection that could not be watched may be later.
func TestAWatchThatFails(t *testing.T) {
	other, _ := ownPair(t)
	if err := other.watch(); err != nil { // now the watcher has a descriptor
		t.Fatal(err)
	}
	d, client := ownPair(t)
	control := func(op int) {
		t.Helper()
		if err := syscall.EpollCtl(sockets.fd, op, d.fd, &syscall.EpollEvent{}); err != nil {
			t.Fatal(err)
		}
	}
	control(syscall.EPOLL_CTL_ADD)
	if err := d.watch(); !errors.Is(err, syscall.EEXIST) {
		t.Fatal(err)
	}
	control(syscall.EPOLL_CTL_DEL)
	later(func() { _, _ = client.Write([]byte("x")) })
	if n, err := d.Read(make([]byte, 1)); err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// Urgent data (RFC 9293 section 3.8.5), which nobody wants, divides what is read: what is behind it is found.
func TestUrgentData(t *testing.T) {
	ws, e := newServing(t, Options{}, nil).dial(t)
	raw, err := ws.NetConn().(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	frame := masked(0x81, []byte("x"))
	for range 3 {
		if !parkedSoon(e.c) {
			t.Fatal("not parked")
		}
		err = raw.Control(func(fd uintptr) {
			cork := func(on int) error { return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, on) }
			err = errors.Join(cork(1), syscall.Sendto(int(fd), append(bytes.Clone(frame), 0), syscall.MSG_OOB, nil))
			_, writeErr := syscall.Write(int(fd), frame)
			err = errors.Join(err, writeErr, cork(0))
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
		wantEcho(t, ws, []byte("x"))
		wantEcho(t, ws, []byte("x"))
	}
	_ = ws.Close()
	if err := <-e.ended; err == nil {
		t.Error("ended without an error")
	}
}

// Where descriptors are few, connections that are woken often are parked like others.
func TestNoDescriptorsForLivelyConnections(t *testing.T) {
	before := maxEars
	maxEars = func() int64 { return 0 }
	defer func() { maxEars = before }()
	ws, e := newServing(t, Options{}, nil).dial(t)
	chat(t, ws, e)
	lively.mu.Lock()
	_, stays := lively.conns[e.c]
	lively.mu.Unlock()
	if stays {
		t.Error("a lively connection")
	}
	_ = ws.Close()
	if err := <-e.ended; err == nil {
		t.Error("ended without an error")
	}
	e.wg.Wait()
}

// Neither ends nor calm leave a descriptor of a lively connection.
func TestDescriptorsOfLivelyConnections(t *testing.T) {
	before := ears.Load()
	ws, e := newServing(t, Options{}, nil).dial(t)
	talk := func() {
		t.Helper()
		chat(t, ws, e)
		if n := ears.Load() - before; n != 1 {
			t.Errorf("%d descriptors more", n)
		}
	}
	talk()
	if !parkedSoon(e.c) || ears.Load() != before {
		t.Error("a descriptor of a connection that is parked")
	}
	talk()
	_ = ws.Close()
	if err := <-e.ended; err == nil {
		t.Error("ended without an error")
	}
	e.wg.Wait()
	if ears.Load() != before {
		t.Error("a descriptor of a connection that has ended")
	}
}

// A connection that is wrapped is taken out of the runtime too, and the wrapper learns of its end.
func TestAWrappedConnection(t *testing.T) {
	server, client := socketPair(t)
	defer client.Close()
	w := &wrapped{TCPConn: server.(*net.TCPConn)}
	c := &Conn{o: (&Options{}).withDefaults(), nc: w}
	c.in.rc, _ = w.SyscallConn()
	c.detach()
	if c.own == nil || w.closed {
		t.Fatalf("%v, closed: %v", c.own, w.closed)
	}
	c.Drop()
	if !w.closed {
		t.Error("the wrapper is not closed")
	}
	if n, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
}

type wrapped struct {
	*net.TCPConn
	closed bool
}

func (w *wrapped) NetConn() net.Conn { return w.TCPConn }

func (w *wrapped) Close() error {
	w.closed = true
	return w.TCPConn.Close()
}
