// Package proxy is a TCP proxy between two processes, that can be cut or stalled as a network can.
package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy passes connections on to a target that may change. It must be closed.
type Proxy struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	target func() (string, error)
	links  map[*link]struct{}
	cut    bool
	silent bool          // only bytes from the far end are stalled
	flow   chan struct{} // closed while bytes flow; replaced by an open one while they are stalled
	closed bool
}

// link is one connection through the proxy.
type link struct{ near, far net.Conn }

// dialTimeout bounds the connection to the target.
const dialTimeout = 5 * time.Second

// New starts a proxy on a free port of 127.0.0.1. target says for each connection where it goes.
func New(target func() (string, error)) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	flow := make(chan struct{})
	close(flow)
	p := &Proxy{listener: l, target: target, links: map[*link]struct{}{}, flow: flow}
	p.serving.Go(p.serve)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends all connections with a TCP reset and refuses new ones, until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for l := range p.links {
		l.end()
	}
}

// Stall holds all bytes of all connections in both directions, also of new ones, until Heal lets them go on: nothing is
// lost, and nobody is told.
func (p *Proxy) Stall() { p.stall(false) }

// Silence holds the bytes that come from the target as Stall does, and lets the others pass: what is asked arrives, and is
// not answered. Followed by Cut, the answers are lost.
func (p *Proxy) Silence() { p.stall(true) }

func (p *Proxy) stall(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
	if p.flowing() {
		p.flow = make(chan struct{})
	}
}

// Heal undoes Cut and Stall.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	if !p.flowing() {
		close(p.flow)
	}
}

// Close ends all connections and the proxy.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.end()
	}
	if !p.flowing() {
		close(p.flow)
	}
	p.mu.Unlock()
	_ = p.listener.Close()
	p.serving.Wait()
}

func (p *Proxy) flowing() bool {
	select {
	case <-p.flow:
		return true
	default:
		return false
	}
}

func (p *Proxy) serve() {
	for {
		near, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // for instance too many open files: the next may fare better
		}
		p.serving.Go(func() { p.pass(near) })
	}
}

// pass serves one connection until its end.
func (p *Proxy) pass(near net.Conn) {
	far, err := p.connect()
	if err != nil {
		reset(near)
		return
	}
	l := &link{near, far}
	if !p.enter(l) {
		l.end()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(far, near, false) })
	both.Go(func() { p.copy(near, far, true) })
	both.Wait()
	l.end()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) connect() (net.Conn, error) {
	addr, err := p.target()
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(context.Background(), "tcp", addr)
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

// copy passes one direction. Its end, by a FIN or a reset, is passed on as well, but not while bytes are stalled.
func (p *Proxy) copy(to, from net.Conn, answers bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.wait(answers)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				reset(from)
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return
		case err != nil:
			reset(to)
			return
		}
	}
}

// wait returns when bytes may flow.
func (p *Proxy) wait(answers bool) {
	p.mu.Lock()
	flow, free := p.flow, p.silent && !answers
	p.mu.Unlock()
	if !free {
		<-flow
	}
}

func (l *link) end() {
	reset(l.near)
	reset(l.far)
}

// reset ends a connection so that the peer's system gets a TCP reset.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
