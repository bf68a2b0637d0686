package wsock

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// buffers are what a request is read with, and what is handed out with its connection; kept for reuse.
type buffers struct {
	data   bytes.Reader
	in     *bufio.Reader
	out    *bufio.Writer
	header http.Header // of the answer
}

// answerSize is enough for the answer to a handshake.
const answerSize = 512

var handshakeBuffers = sync.Pool{New: func() any {
	return &buffers{in: bufio.NewReaderSize(nil, readChunk), out: bufio.NewWriterSize(nil, answerSize), header: make(http.Header)}
}}

func (q *buffers) release() {
	q.data.Reset(nil)
	q.in.Reset(nil)
	q.out.Reset(nil)
	clear(q.header)
	handshakeBuffers.Put(q)
}

var (
	headEnd   = []byte("\r\n\r\n")
	headBegin = []byte("GET /")
	protocol  = []byte("websocket")
)

// handshakeOf returns the request that b is, if it is the handshake of a WebSocket and nothing else, and net/http's server would
// give it to its handler just so; otherwise nil. b may be used again afterwards.
func (q *buffers) handshakeOf(b []byte) *http.Request {
	if !bytes.HasPrefix(b, headBegin) || bytes.Index(b, headEnd) != len(b)-len(headEnd) || !bytes.Contains(b, protocol) {
		return nil
	}
	q.data.Reset(b)
	q.in.Reset(&q.data)
	r, err := http.ReadRequest(q.in)
	if err != nil || q.in.Buffered() > 0 || q.data.Len() > 0 || !usual(r) {
		return nil
	}
	return r
}

// usual says whether a request asks for a WebSocket and has nothing that the server refuses or treats in a way of its own.
func usual(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.ContentLength == 0 && r.TransferEncoding == nil &&
		r.Host != "" && httpguts.ValidHostHeader(r.Host) && r.Header["Expect"] == nil && validHeader(r.Header) && IsUpgrade(r)
}

func validHeader(h http.Header) bool {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return false
			}
		}
	}
	return true
}

// answer gives the request to the handler.
func (f *Front) answer(s socket, q *buffers, r *http.Request) {
	w := &response{nc: s, buffers: q}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // as net/http does
			f.log.Error("a handler panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			w.abort = true
		}
		w.end(r)
	}()
	r.RemoteAddr = s.RemoteAddr().String()
	f.handler.ServeHTTP(w, r)
}

// refusalTimeout is how long a client may take to read why it was refused.
const refusalTimeout = 5 * time.Second

// response is the answer to a handshake. One that is refused is answered when the handler has returned, and ends the connection.
type response struct {
	nc      net.Conn // nil once it was hijacked
	buffers *buffers
	status  int
	body    strings.Builder
	abort   bool
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.buffers.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.nc == nil {
		return 0, http.ErrHijacked
	}
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Hijack implements http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc := w.nc
	if nc == nil {
		return nil, nil, http.ErrHijacked
	}
	w.nc = nil
	q := w.buffers
	q.in.Reset(nc)
	q.out.Reset(nc)
	return nc, bufio.NewReadWriter(q.in, q.out), nil
}

// end sends what the handler has answered, unless it has taken the connection.
func (w *response) end(r *http.Request) {
	if w.nc == nil {
		return
	}
	defer func() { _ = w.nc.Close() }()
	if w.abort || w.nc.SetWriteDeadline(time.Now().Add(refusalTimeout)) != nil {
		return
	}
	w.WriteHeader(http.StatusOK)
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	text := w.body.String()
	answer := http.Response{
		StatusCode: w.status, ProtoMajor: 1, ProtoMinor: 1, Request: r, Close: true,
		Header: w.Header(), ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)),
	}
	_ = answer.Write(w.nc) // a client that has gone needs none
}
