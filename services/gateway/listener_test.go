package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"signalling/services/gateway/internal/door"
)

// peer is a connection that says where it comes from.
type peer struct {
	net.Conn
	addr string
}

func (p peer) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.addr)) }

func TestConnectionsOfAnAddress(t *testing.T) {
	met := map[door.Kind]int{}
	l := &listener{
		met:    func(k door.Kind) { met[k]++ },
		limits: connectionLimits{all: 5, address: 2}, proxies: door.Proxies{netip.MustParsePrefix("10.0.0.0/8")},
		addresses: make(map[netip.Addr]int),
	}
	try := func(addr string, want bool) netip.Addr {
		t.Helper()
		a := l.address(peer{addr: addr})
		if got := l.take(a); got != want {
			t.Errorf("%s is let in: %v", addr, got)
		}
		return a
	}
	first := try("203.0.113.1:1", true)
	try("203.0.113.1:2", true)
	try("203.0.113.1:3", false)
	try("[::ffff:203.0.113.1]:3", false)
	l.give(first)
	try("[::ffff:203.0.113.1]:3", true)
	try("[2001:db8::1]:1", true)
	try("[2001:db8::2]:1", true)
	try("[2001:db8::3]:1", false)
	l.give(l.address(peer{addr: "[2001:db8::1]:1"}))
	l.give(l.address(peer{addr: "[2001:db8::2]:1"}))
	for range 3 { // who speaks for many, and this machine
		try("10.1.2.3:1", true)
	}
	try("127.0.0.1:1", false) // all are taken
	if len(l.addresses) != 1 || met[door.KindAddressConnections] != 3 || met[door.KindConnections] != 1 {
		t.Errorf("%v, met %v", l.addresses, met)
	}
}

// Sockets that are counted are still plain sockets to package wsock, which then writes to them without a goroutine.
var _ syscall.Conn = (*connection)(nil)

// only accepts one connection.
type only struct{ conns chan net.Conn }

func (o *only) Accept() (net.Conn, error) {
	if c, ok := <-o.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (o *only) Close() error   { close(o.conns); return nil }
func (o *only) Addr() net.Addr { return &net.UnixAddr{} }

func TestABodyThatDoesNotComeIsNotAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		l := &only{conns: make(chan net.Conn, 1)}
		l.conns <- server
		srv := &http.Server{Handler: boundBodies(http.NotFoundHandler()), ReadHeaderTimeout: headerTimeout}
		go func() { _ = srv.Serve(l) }()
		begun := time.Now()
		_, _ = fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
		_, _ = io.Copy(io.Discard, client) // without a bound it waits for ever
		if took := time.Since(begun); took > 2*bodyTimeout {
			t.Errorf("the connection ended after %v", took)
		}
		_ = srv.Close()
	})
}
