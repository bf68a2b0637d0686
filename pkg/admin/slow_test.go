package admin

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error { close(p); return nil }
func (pipes) Addr() net.Addr { return &net.UnixAddr{} }

// Requests that do not come to their end hold nothing for ever: neither those without the rest of their head, nor those
// without their body, whether or not what is asked for reads one.
func TestWhatDoesNotComeIsNotAwaited(t *testing.T) {
	for _, request := range []string{
		"",
		"GET /heal",
		"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
		"POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"PUT /log/level HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nde",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(slog.New(slog.DiscardHandler))
			client, server := net.Pipe()
			s.listener = make(pipes, 1)
			s.listener.(pipes) <- server
			go s.serve()
			begun := time.Now()
			_, _ = io.WriteString(client, request)
			_, _ = io.Copy(io.Discard, client)
			if took := time.Since(begun); took > 2*readTimeout {
				t.Errorf("%q: the connection ended after %v", request, took)
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A profile may take longer than a request may.
func TestAnAnswerMayTakeLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(slog.New(slog.DiscardHandler))
		s.Handle("GET /slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-time.After(time.Minute) }))
		client, server := net.Pipe()
		s.listener = make(pipes, 1)
		s.listener.(pipes) <- server
		go s.serve()
		_, _ = io.WriteString(client, "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		_ = resp.Body.Close()
		_ = client.Close()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
