package door

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"signalling/api/client"
	"signalling/pkg/limit"
)

// Proxies are the addresses of proxies that are believed when they say for whom they speak.
type Proxies []netip.Prefix

// Trusted reports whether an address is that of such a proxy.
func (p Proxies) Trusted(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// client is the address that a request comes from: the peer's, or, if that is a trusted proxy, the last one in X-Forwarded-For
// that is none. What stands before that in the header was written by the client itself, and is not believed.
func (p Proxies) client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !p.Trusted(addr) {
		return addr
	}
	for _, line := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for _, entry := range slices.Backward(strings.Split(line, ",")) {
			next, ok := forwarded(strings.TrimSpace(entry))
			if !ok {
				return addr
			}
			if addr = next; !p.Trusted(addr) {
				return addr
			}
		}
	}
	return addr
}

// forwarded reads an entry of X-Forwarded-For; some proxies add the port.
func forwarded(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap(), true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr().Unmap(), err == nil
}

// Group is what an address is counted by: an IPv6 network of 64 bits, because whoever has one address of it has all.
func Group(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64) // 64 bits fit
		return p.Addr()
	}
	return a
}

// addresses counts the clients of each address, and their handshakes. What comes from this machine is not held to the limits of
// an address: it is a proxy that is not trusted yet, or a test.
type addresses struct {
	l *Limits

	mu         sync.Mutex // guards what follows
	handshakes limit.Bucket
	all        map[netip.Addr]*address
	sweepAt    int // size of all at which those that may be forgotten are looked for
}

type address struct {
	clients    int
	handshakes limit.Bucket
}

const minSweep = 1024

func newAddresses(l *Limits) *addresses {
	if l == nil {
		return nil
	}
	return &addresses{l: l, all: make(map[netip.Addr]*address), sweepAt: minSweep}
}

// handshake counts one, and returns an error if it is too much.
func (as *addresses) handshake(from netip.Addr) *client.Error {
	if as == nil {
		return nil
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	now := limit.Now()
	if from.IsValid() && !from.IsLoopback() {
		a := as.of(Group(from), now)
		if wait := as.l.AddressHandshakes.Take(&a.handshakes, now, 1); wait > 0 {
			return as.l.refusal(KindAddressHandshakes, wait)
		}
	}
	if wait := as.l.Handshakes.Take(&as.handshakes, now, 1); wait > 0 {
		return as.l.refusal(KindHandshakes, wait)
	}
	return nil
}

// of returns the entry of an address. mu is held.
func (as *addresses) of(a netip.Addr, now time.Duration) *address {
	if entry := as.all[a]; entry != nil {
		return entry
	}
	if len(as.all) >= as.sweepAt {
		for key, entry := range as.all {
			if entry.clients == 0 && entry.handshakes.Full(now) {
				delete(as.all, key)
			}
		}
		as.sweepAt = max(2*len(as.all), minSweep)
	}
	entry := new(address)
	as.all[a] = entry
	return entry
}

// addressFull is how long a client should wait when its address has too many: somebody has to go first.
const addressFull = 10 * time.Second

// enter takes a place for a client of the address; it is nil where those are not counted.
func (as *addresses) enter(from netip.Addr) (*place, *client.Error) {
	if as == nil || as.l.AddressClients == 0 || !from.IsValid() || from.IsLoopback() {
		return nil, nil
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	a := as.of(Group(from), limit.Now())
	if a.clients >= as.l.AddressClients {
		return nil, as.l.refusal(KindAddressClients, addressFull)
	}
	a.clients++
	return &place{as, a}, nil
}

// place is a client's among those of its address.
type place struct {
	of *addresses
	at *address
}

// leave gives the place back, and does nothing for nil.
func (p *place) leave() {
	if p == nil {
		return
	}
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.at.clients--
}
