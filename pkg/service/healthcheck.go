package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthTimeout bounds a health check, below what Docker gives it.
const healthTimeout = 3 * time.Second

// healthcheck asks the admin server of the process whose settings these are whether it is alive, or with the argument
// ready whether it is that: for images without a shell. The exit code is the answer.
func (p Program) healthcheck(args []string, environ map[string]string, stderr io.Writer) int {
	path := "/healthz"
	switch {
	case len(args) == 1 && args[0] == "ready":
		path = "/readyz"
	case len(args) > 0 || p.Admin == nil:
		p.complain(stderr, errors.New("usage: healthcheck [ready]"))
		return ExitConfig
	}
	if err := p.parse(new(LogConfig), environ); err != nil {
		p.complain(stderr, err)
		return ExitConfig
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	if err := ask(ctx, "http://"+reachable(p.Admin())+path); err != nil {
		p.complain(stderr, err)
		return ExitFailure
	}
	return ExitOK
}

// reachable is an address to connect to for one that is listened on.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
