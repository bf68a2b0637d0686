package socketio

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"sync"
	"time"
)

// servePost takes the packets of a POST, in order, and answers when all are handled ("Sending data").
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	p, refused := s.beginPOST()
	if refused != nil {
		refused.write(w)
		return
	}
	if refused = s.takePost(w, r, p); refused != nil {
		refused.write(w)
		return
	}
	_ = s.respond(w, "text/html", []byte("ok")) // the packets are taken; a lost connection shows at the next GET
}

// takePost reads and handles a POST, after which the session has no POST any more.
func (s *Session) takePost(w http.ResponseWriter, r *http.Request, p *polling) *refusal {
	defer s.endPOST(p)
	buf := bodies.Get().(*[]byte)
	defer releaseBody(buf)
	if refused := s.readBody(w, r, buf); refused != nil {
		return refused
	}
	// The session may have ended while the body came in.
	if !s.srv.enter(s) {
		return errUnknownSID
	}
	defer s.srv.running.Done()
	s.recv.Lock()
	defer s.recv.Unlock()
	if !s.polls(p) {
		return errBadRequest
	}
	err := s.decode(r, *buf)
	s.tellIdle()
	if err != nil {
		s.fail(err)
	}
	switch {
	case err == nil, errors.Is(err, errClientClose):
		return nil
	case errors.Is(err, errTooLarge):
		return errBodyTooBig
	default:
		return errBadRequest
	}
}

// polls reports whether p is still the session's transport.
func (s *Session) polls(p *polling) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poll == p
}

// beginPOST makes this POST the session's only one. A second one ends the session.
func (s *Session) beginPOST() (*polling, *refusal) {
	s.mu.Lock()
	p := s.poll
	if p == nil {
		s.mu.Unlock()
		return nil, errBadRequest
	}
	if p.post {
		s.mu.Unlock()
		s.end(ReasonTransportError, farewell{how: abrupt})
		return nil, errBadRequest
	}
	p.post = true
	s.mu.Unlock()
	return p, nil
}

func (s *Session) endPOST(p *polling) {
	s.mu.Lock()
	p.post = false
	s.mu.Unlock()
}

// decode hands the packets of a body to receive.
func (s *Session) decode(r *http.Request, body []byte) error {
	binary := isOctetStream(r)
	switch {
	case s.eio == eio4 && binary: // "Packet encoding": protocol 4 sends base64
		return fmt.Errorf("%w: binary payload", errMalformed)
	case s.eio == eio4:
		return decodeV4(body, s.receive)
	case binary:
		return decodeBinaryV3(body, s.receive)
	default:
		return decodeTextV3(body, s.receive)
	}
}

func isOctetStream(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what cannot be parsed is no octet stream
	return kind == "application/octet-stream"
}

// bodies are buffers for POSTs.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// keepBody is the largest buffer that is kept.
const keepBody = 64 << 10

func releaseBody(b *[]byte) {
	if cap(*b) <= keepBody {
		bodies.Put(b)
	}
}

// readBody reads a POST's body into buf, within ReadTimeout and ReadLimit. When it fails the session is ended: some of
// the client's packets are lost.
func (s *Session) readBody(w http.ResponseWriter, r *http.Request, buf *[]byte) *refusal {
	c := &s.srv.cfg
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(c.ReadTimeout)); err == nil {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	var err error
	if r.ContentLength > c.ReadLimit {
		err = &http.MaxBytesError{Limit: c.ReadLimit}
	} else {
		*buf, err = appendAll((*buf)[:0], http.MaxBytesReader(w, r.Body, c.ReadLimit))
	}
	var tooBig *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooBig):
		s.end(ReasonTooLarge, farewell{how: abrupt, err: err})
		return errBodyTooBig
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.end(ReasonTransportError, farewell{how: abrupt})
		return errSlowBody
	default:
		s.end(ReasonTransportError, farewell{how: gone})
		return errBadRequest
	}
}

// appendAll is io.ReadAll into a buffer.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
