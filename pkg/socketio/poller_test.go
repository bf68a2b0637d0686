package socketio

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// answer is an HTTP answer with its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with headers in pairs.
func (r *rig) do(method, query, body string, headers ...string) answer {
	r.t.Helper()
	a, err := r.try(context.Background(), method, query, body, headers...)
	if err != nil {
		r.t.Fatalf("%s ?%s: %v", method, query, err)
	}
	return a
}

func (r *rig) try(ctx context.Context, method, query, body string, headers ...string) (answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, origin+"/socket.io/?"+query, reader)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

// poller is a polling client's side of a session.
type poller struct {
	*rig
	eio int
	sid string
}

// open makes a polling session and returns it with the rest of the first answer, in the wire form of EIO 4.
func (r *rig) open(eio int) (*poller, string) {
	r.t.Helper()
	p := &poller{rig: r, eio: eio}
	a := r.do("GET", fmt.Sprintf("EIO=%d&transport=polling&b64=1", eio), "")
	if a.status != 200 {
		r.t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	first, rest, _ := strings.Cut(p.normal(a.body), "\x1e")
	p.sid = openOf(r.t, first).SID
	return p, rest
}

// joined makes a polling session in the namespace.
func (r *rig) joined(eio int) *poller {
	r.t.Helper()
	p, rest := r.open(eio)
	if eio == eio4 {
		p.post("40", 200)
		rest = p.get(200)
	}
	if !strings.HasPrefix(rest, "40") {
		r.t.Fatalf("not connected: %q", rest)
	}
	return p
}

// normal turns a payload of EIO 3 into the form of EIO 4, which the tests write everything in.
func (p *poller) normal(body string) string {
	if p.eio == eio4 {
		return body
	}
	got, err := collect(decodeTextV3, body)
	if err != nil {
		p.t.Fatalf("payload %q: %v", body, err)
	}
	return strings.Join(got, "\x1e")
}

func (p *poller) query() string {
	return fmt.Sprintf("EIO=%d&transport=polling&b64=1&sid=%s", p.eio, url.QueryEscape(p.sid))
}

// get polls once and returns the payload in the form of EIO 4.
func (p *poller) get(status int) string {
	p.t.Helper()
	a := p.do("GET", p.query(), "")
	if a.status != status {
		p.t.Fatalf("GET: %d %s, want %d", a.status, a.body, status)
	}
	if status != 200 {
		return a.body
	}
	return p.normal(a.body)
}

// waiting polls in the background.
func (p *poller) waiting() <-chan answer {
	done := make(chan answer, 1)
	go func() {
		a, err := p.try(context.Background(), "GET", p.query(), "")
		if err != nil {
			a.body = err.Error()
		} else if a.status == 200 {
			a.body = p.normal(a.body)
		}
		done <- a
	}()
	return done
}

// post sends a payload in the form of EIO 4.
func (p *poller) post(payload string, status int) {
	p.t.Helper()
	if a := p.do("POST", p.query(), p.encode(payload), "Content-Type", "text/plain;charset=UTF-8"); a.status != status {
		p.t.Fatalf("POST %.80q: %d %s, want %d", payload, a.status, a.body, status)
	}
}

func (p *poller) encode(payload string) string {
	if p.eio == eio4 {
		return payload
	}
	var b strings.Builder
	for one := range strings.SplitSeq(payload, "\x1e") {
		fmt.Fprintf(&b, "%d:%s", utf16Len([]byte(one)), one)
	}
	return b.String()
}

func (p *poller) echo(text string) {
	p.t.Helper()
	p.post(`42["echo","`+text+`"]`, 200)
	if got := p.get(200); got != `42["echo","`+text+`"]` {
		p.t.Fatalf("echo is %q", got)
	}
}
