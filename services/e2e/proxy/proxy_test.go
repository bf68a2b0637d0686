package proxy

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// echo is a server that sends back what it gets, and the proxy before it.
func echo(t *testing.T) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	p, err := New(func() (string, error) { return l.Addr().String(), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		_ = l.Close()
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// refused checks that a new connection does not live: it may be reset before or after Dial returns.
func refused(t *testing.T, p *Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a new connection lives")
	}
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q (%v), want %q", got, err, want)
	}
}

func TestBytesPass(t *testing.T) {
	p := echo(t)
	a, b := dial(t, p), dial(t, p)
	say(t, a, "from a")
	say(t, b, "from b")
	hear(t, a, "from a")
	hear(t, b, "from b")
	if half, ok := a.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	if n, err := a.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
}

func TestACutEndsAllAndRefusesMoreUntilItHeals(t *testing.T) {
	p := echo(t)
	a := dial(t, p)
	say(t, a, "x")
	hear(t, a, "x")
	p.Cut()
	if _, err := a.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the connection ended with %v, want a reset", err)
	}
	refused(t, p)
	p.Heal()
	c := dial(t, p)
	say(t, c, "again")
	hear(t, c, "again")
}

func TestAStallHoldsBytesAndLosesNone(t *testing.T) {
	p := echo(t)
	a := dial(t, p)
	say(t, a, "before")
	hear(t, a, "before")
	p.Stall()
	p.Stall() // once more makes no difference
	say(t, a, "held")
	b := dial(t, p)
	say(t, b, "too")
	_ = a.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // a longer wait would show no more
	if n, err := a.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d bytes came through", n)
	}
	_ = a.SetReadDeadline(time.Now().Add(patience))
	p.Heal()
	hear(t, a, "held")
	hear(t, b, "too")
}

func TestATargetThatIsNotThereRefuses(t *testing.T) {
	p, err := New(func() (string, error) { return "", errors.New("gone") })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	refused(t, p)
}

func TestACloseEndsStalledConnections(t *testing.T) {
	p := echo(t)
	a := dial(t, p)
	say(t, a, "x")
	hear(t, a, "x")
	p.Stall()
	say(t, a, "held")
	p.Close()
	if _, err := a.Read(make([]byte, 1)); err == nil {
		t.Error("the connection lives")
	}
}
