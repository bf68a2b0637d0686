package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"

	"signalling/pkg/wsock"
	"signalling/services/gateway/internal/door"
)

// listener bounds the connections of the clients' address, and those of each address from which they come. A connection too
// many is closed at once, with an answer where one can be read: what waits in the system's queue instead would look like a
// gateway that hangs.
type listener struct {
	*net.TCPListener
	limits  connectionLimits
	proxies door.Proxies
	secure  bool // TLS: no answer can be given
	met     func(door.Kind)

	mu        sync.Mutex // guards what follows
	open      int
	addresses map[netip.Addr]int
}

// connectionLimits are how many connections there may be; 0 means any number.
type connectionLimits struct{ all, address int }

// tooMany answers a connection that is not served.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		addr := l.address(nc)
		if l.take(addr) {
			return &connection{TCPConn: nc, l: l, addr: addr}, nil
		}
		if !l.secure {
			_ = nc.SetWriteDeadline(time.Now().Add(time.Second)) // the first bytes always find room
			_, _ = nc.Write([]byte(tooMany))
			forget(nc)
		}
		_ = nc.Close()
	}
}

// forget reads the request of a connection, which is there: closed with unread bytes, a connection is reset, and a reset can
// overtake the answer.
func forget(nc net.Conn) {
	_ = nc.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, _ = nc.Read(make([]byte, maxHeaderBytes))
}

// address is what a connection is counted by; zero if it is not, because many clients may be behind it.
func (l *listener) address(nc net.Conn) netip.Addr {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok || l.limits.address == 0 {
		return netip.Addr{}
	}
	a := tcp.AddrPort().Addr().Unmap()
	if a.IsLoopback() || l.proxies.Trusted(a) {
		return netip.Addr{}
	}
	return door.Group(a)
}

func (l *listener) take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limits.all > 0 && l.open >= l.limits.all {
		l.met(door.KindConnections)
		return false
	}
	if a.IsValid() {
		if l.addresses[a] >= l.limits.address {
			l.met(door.KindAddressConnections)
			return false
		}
		l.addresses[a]++
	}
	l.open++
	return true
}

func (l *listener) give(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if a.IsValid() {
		if l.addresses[a]--; l.addresses[a] == 0 {
			delete(l.addresses, a)
		}
	}
}

// connection is one that is counted.
type connection struct {
	*net.TCPConn
	l      *listener
	addr   netip.Addr
	closed atomic.Bool
}

// Close implements net.Conn.
func (c *connection) Close() error {
	if !c.closed.Swap(true) {
		c.l.give(c.addr)
	}
	return c.TCPConn.Close()
}

// NetConn is the connection itself.
func (c *connection) NetConn() net.Conn { return c.TCPConn }

// proxied takes the PROXY header of connections that trusted proxies make; others have none.
func proxied(l net.Listener, proxies door.Proxies, patience time.Duration) net.Listener {
	return &proxyproto.Listener{
		Listener: l, ReadHeaderTimeout: patience,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if tcp, ok := o.Upstream.(*net.TCPAddr); ok && proxies.Trusted(tcp.AddrPort().Addr().Unmap()) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

// boundBodies bounds how long a request's body may take. Only the polling of Socket.IO takes bodies, and sets a time of its own;
// any other body is awaited by net/http before it answers, for as long as it takes.
func boundBodies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // TCP always can
		}
		h.ServeHTTP(w, r)
	})
}

// listenClients binds the clients' address.
func (g *Gateway) listenClients(ctx context.Context, doors door.Config) (net.Listener, error) {
	tcp, err := wsock.Listen(ctx, g.cfg.Listen)
	if err != nil {
		return nil, err
	}
	c := &g.cfg.Limits
	bounded := &listener{
		TCPListener: tcp, proxies: doors.Proxies, addresses: make(map[netip.Addr]int),
		met: doors.Limits.Count, secure: g.cfg.TLS.Cert != "",
	}
	if c.On {
		bounded.limits = connectionLimits{all: c.Connections, address: c.AddressConnections}
		if bounded.limits.all == 0 {
			bounded.limits.all = maxFiles() / 10 * 9
		}
	}
	var l net.Listener = bounded
	if c.ProxyProtocol {
		l = proxied(bounded, doors.Proxies, headerTimeout)
	}
	secure, err := g.cfg.TLS.secure(l, g.log)
	if err != nil {
		return nil, errors.Join(err, bounded.Close())
	}
	return secure, nil
}
