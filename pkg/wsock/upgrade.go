package wsock

import (
	"crypto/sha1" // #nosec G505 -- RFC 6455 section 4.2.2 wants it
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Options are the limits of a connection. Zero values mean the defaults given.
type Options struct {
	// ReadLimit is the longest message in bytes. A longer one ends the connection with close code 1009. Default 256 KiB.
	ReadLimit int64
	// QueueFrames and QueueBytes bound what waits to be sent, the frames being written included. Defaults 1024 and 4 MiB.
	QueueFrames int
	QueueBytes  int
	// WriteTimeout is how long the peer may take no byte at all while frames wait for it; then the connection ends.
	// Default 10 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long a close may take, from Close to the end of the TCP connection. Default 5 s.
	CloseTimeout time.Duration
	// Subprotocols that are accepted where the client offers them, in order of preference.
	Subprotocols []string
	// CheckOrigin decides whether the request's Origin may connect. Default: the same host only.
	CheckOrigin func(*http.Request) bool
}

func (o *Options) withDefaults() *Options {
	d := *o
	orDefault(&d.ReadLimit, 256<<10)
	orDefault(&d.QueueFrames, 1024)
	orDefault(&d.QueueBytes, 4<<20)
	orDefault(&d.WriteTimeout, 10*time.Second)
	orDefault(&d.CloseTimeout, 5*time.Second)
	if d.CheckOrigin == nil {
		d.CheckOrigin = sameHost
	}
	return &d
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Upgrader makes connections that share Options.
type Upgrader struct{ o *Options }

// NewUpgrader returns an Upgrader.
func NewUpgrader(o Options) *Upgrader { return &Upgrader{o.withDefaults()} }

// ErrHandshake is wrapped by the errors of requests that are no handshake of a WebSocket, or of one that may not be.
var ErrHandshake = errors.New("wsock: handshake")

// Upgrade answers a WebSocket handshake (RFC 6455 section 4.2). On an error the HTTP answer has been sent, or the connection
// is closed. The answer to a good one leaves with the first frames, with the first call of Serve, ReadMessage or Flush.
// The caller should return from its handler, so that net/http's goroutine is not kept.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	key, status, fault := u.check(r)
	if fault != "" {
		w.Header().Set("Sec-Websocket-Version", version)
		http.Error(w, http.StatusText(status), status)
		return nil, fmt.Errorf("%w: %s", ErrHandshake, fault)
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if brw.Reader.Buffered() > 0 {
		return nil, errors.Join(fmt.Errorf("%w: the client sent data before the answer", ErrHandshake), nc.Close())
	}
	c := &Conn{o: u.o, nc: nc, subprotocol: u.subprotocol(r)}
	if sc, ok := nc.(syscall.Conn); ok && plainSockets {
		c.in.rc, _ = sc.SyscallConn() // nil if there is none
	}
	if err := c.greet(answer(key, c.subprotocol)); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

// greet sends the answer to the handshake, of a plain socket together with the first frames.
func (c *Conn) greet(answer Frame) error {
	if c.in.rc == nil {
		return c.writeAll(net.Buffers{answer})
	}
	c.greeting = len(answer)
	c.push(answer)
	return nil
}

const version = "13"

// check returns the key of a handshake, or what is wrong with it (section 4.2.1).
func (u *Upgrader) check(r *http.Request) (key string, status int, fault string) {
	key = r.Header.Get("Sec-Websocket-Key")
	switch {
	case !hasToken(r.Header["Connection"], "upgrade"):
		return "", http.StatusBadRequest, "no upgrade in Connection"
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return "", http.StatusBadRequest, "no websocket in Upgrade"
	case r.Method != http.MethodGet:
		return "", http.StatusMethodNotAllowed, "not GET"
	case !hasToken(r.Header["Sec-Websocket-Version"], version):
		return "", http.StatusBadRequest, "another version"
	case !u.o.CheckOrigin(r):
		return "", http.StatusForbidden, "the origin may not connect"
	case !validKey(key):
		return "", http.StatusBadRequest, "Sec-WebSocket-Key"
	}
	return key, 0, ""
}

// IsUpgrade reports whether the request asks for a WebSocket.
func IsUpgrade(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// hasToken looks for a token in lists of them (RFC 9110 section 5.6.1).
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(entry, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// validKey: 16 bytes in base64.
func validKey(key string) bool {
	const size = 16
	var b [size + 2]byte // for what the decoder writes of a longer one
	if len(key) != base64.StdEncoding.EncodedLen(size) {
		return false
	}
	n, err := base64.StdEncoding.Decode(b[:], []byte(key))
	return err == nil && n == size
}

// subprotocol is the first of ours that the client offers.
func (u *Upgrader) subprotocol(r *http.Request) string {
	for _, ours := range u.o.Subprotocols {
		for _, line := range r.Header["Sec-Websocket-Protocol"] {
			for entry := range strings.SplitSeq(line, ",") {
				if strings.Trim(entry, " \t") == ours {
					return ours
				}
			}
		}
	}
	return ""
}

// answer is the server's handshake (section 4.2.2).
func answer(key, subprotocol string) Frame {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(key + guid)) // #nosec G401 -- the protocol's, no secret
	b := make([]byte, 0, 192)
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	if subprotocol != "" {
		b = append(append(b, "\r\nSec-WebSocket-Protocol: "...), subprotocol...)
	}
	return append(b, "\r\n\r\n"...)
}

// sameHost is the default of CheckOrigin. Who is no browser names no origin.
func sameHost(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
