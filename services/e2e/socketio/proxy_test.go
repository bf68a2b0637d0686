package socketio

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// proxies are the examples of deploy/proxy. In their configurations only the addresses are changed.
var proxies = []struct {
	name, pkg, config string
	// sticky matches the lines that make a client's requests reach one gateway. Without them they go to all in turn.
	sticky *regexp.Regexp
	// start returns the command that serves the configuration in a file.
	start func(t *testing.T, program, file string) []string
}{
	{"nginx", "nginx-light", "nginx.conf", regexp.MustCompile(`(?m)^ *hash .*$`), startNginx},
	{"haproxy", "haproxy", "haproxy.cfg", regexp.MustCompile(`(?m)^ *(stick|balance) .*$`), func(_ *testing.T, program, file string) []string {
		return []string{program, "-db", "-f", file}
	}},
}

// startNginx puts what Debian has in nginx.conf around a file that is meant for conf.d.
func startNginx(t *testing.T, program, file string) []string {
	t.Helper()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the workers' files are in a folder of ours
	}
	main := filepath.Join(filepath.Dir(file), "main.conf")
	err := os.WriteFile(main, fmt.Appendf(nil, `%s daemon off; pid nginx.pid; error_log stderr warn; worker_processes 2;
		events {}
		http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u;
		scgi_temp_path s; include %s; }`, user, file), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return []string{program, "-p", filepath.Dir(file) + "/", "-e", "stderr", "-c", main}
}

// TestProxies connects clients of all kinds through the proxies to two gateways: all of them meet in one room, they are
// spread, and when a gateway stops, its clients are back at the other one.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			program := need.Program(t, p.name, p.pkg)
			d := newDriver(t)
			s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{"LOG_LEVEL=debug"}}) // who connected is told at debug
			url := startProxy(t, s, p.config, func(file string) []string { return p.start(t, program, file) }, nil)

			room := s.Room()
			owner := labtest.Open(t, "ws"+strings.TrimPrefix(url, "http")+"/ws", nil)
			owner.Emit(J{"event": "room-create", "room": room})
			owner.Expect(J{"event": "room-created", "room": room})
			var all []*nodeClient
			const each = 3
			for i := range each {
				for n, k := range kinds {
					all = append(all, d.open(t, k, url, J{"localAddress": fmt.Sprintf("127.0.%d.%d", 1+i, 2+n)}))
				}
			}
			seen := func(c *nodeClient) {
				c.joins(room)
				owner.Expect(J{"event": "client-joined", "room": room, "clientId": c.ID()})
				c.emit("signal-send", room, owner.ID, J{"of": c.ref})
				owner.Expect(J{"event": "signal-receive", "room": room, "senderId": c.ID(), "data": J{"of": c.ref}})
			}
			for _, c := range all {
				seen(c)
			}
			for _, c := range all {
				c.settled()
			}
			at := spread(t, s, all)
			t.Logf("the gateways have %d and %d of the clients", len(at[0]), len(at[1]))
			if len(at[0]) == 0 || len(at[1]) == 0 {
				t.Fatal("all clients are at one gateway")
			}

			gone := 0
			if len(spreadOf(s.Gateways[0], owner.ID)) > 0 {
				gone = 1 // the owner stays
			}
			ids := map[string]string{}
			for _, c := range at[gone] {
				ids[c.ID()] = room
			}
			if code, err := s.Gateways[gone].Stop(labtest.Context(t)); err != nil || code != 0 {
				t.Fatalf("the gateway ended with code %d, %v", code, err)
			}
			expectLeft(t, owner, ids)
			for _, c := range at[gone] {
				c.await(sawDisconnect)
				c.await(sawConnect)
				c.forget()
				seen(c)
			}
		})
	}
}

// TestPollingNeedsStickySessions takes that out of the configurations which keeps a client at one gateway, and leaves all
// else: polling fails then, and WebSockets do not.
func TestPollingNeedsStickySessions(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			program := need.Program(t, p.name, p.pkg)
			d := newDriver(t)
			url := startProxy(t, s, p.config, func(file string) []string { return p.start(t, program, file) }, p.sticky)
			for _, version := range []int{4, 3, 2} {
				c := d.start(t, kind{version, polling}, url, J{"reconnection": false})
				if o := c.await(sawHTTP); o.Code != 400 {
					t.Errorf("%s: HTTP status %d", c.ref, o.Code)
				}
				c = d.open(t, kind{version, websocket}, url)
				c.expectNothing()
				c.settled()
			}
		})
	}
}

// startProxy serves one of the configurations, without the lines that remove matches, in front of a site's gateways, and
// returns its address.
func startProxy(t *testing.T, s *labtest.Site, config string, command func(file string) []string, remove *regexp.Regexp) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", "proxy", config))
	if err != nil {
		t.Fatal(err)
	}
	port, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	conf := string(text)
	replace := func(pattern, with string) {
		t.Helper()
		r := regexp.MustCompile(pattern)
		if n := len(r.FindAllString(conf, -1)); n != 1 {
			t.Fatalf("%s has %d matches of %s, want 1", config, n, pattern)
		}
		conf = r.ReplaceAllLiteralString(conf, with)
	}
	replace(`listen 8000|bind :8000`, strings.Fields(map[string]string{"nginx.conf": "listen", "haproxy.cfg": "bind"}[config])[0]+" "+addr)
	for i, g := range s.Gateways {
		replace(fmt.Sprintf(`127\.0\.0\.1:80%d0`, 8+i), strings.TrimPrefix(urlOf(s, i), "http://"))
		if admin, err := lab.AdminAddr(labtest.Context(t), g); err != nil {
			t.Fatal(err)
		} else if config == "haproxy.cfg" {
			replace(fmt.Sprintf(`port 80%d1`, 8+i), "port "+admin[strings.LastIndexByte(admin, ':')+1:])
		}
	}
	if remove != nil {
		if !remove.MatchString(conf) {
			t.Fatalf("%s has nothing that matches %s", config, remove)
		}
		conf = remove.ReplaceAllLiteralString(conf, "")
	}
	file := filepath.Join(t.TempDir(), config)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, addr, command(file))
	return "http://" + addr
}

// serve runs a server until the test ends, and waits until it listens.
func serve(t *testing.T, addr string, command []string) {
	t.Helper()
	start(t, command)
	ctx := labtest.Context(t)
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-time.After(10 * time.Millisecond): // it tells nobody when it listens
		case <-ctx.Done():
			t.Fatalf("%s does not listen: %v", command[0], err)
		}
	}
}

// spread says which of the clients are at which gateway.
func spread(t *testing.T, s *labtest.Site, all []*nodeClient) (at [2][]*nodeClient) {
	t.Helper()
	var ids []string
	for _, c := range all {
		ids = append(ids, c.ID())
	}
	for i, g := range s.Gateways {
		for _, n := range spreadOf(g, ids...) {
			at[i] = append(at[i], all[n])
		}
	}
	if n := len(at[0]) + len(at[1]); n != len(all) {
		t.Fatalf("the gateways' logs name %d of %d clients", n, len(all))
	}
	return at
}

// spreadOf says, by its log, which of the ids a gateway has let in.
func spreadOf(g *lab.Process, ids ...string) (which []int) {
	lines, _ := g.Log().Since(0)
	log := strings.Join(lines, "\n")
	for i, id := range ids {
		if strings.Contains(log, `"client":"`+id+`"`) {
			which = append(which, i)
		}
	}
	return which
}
