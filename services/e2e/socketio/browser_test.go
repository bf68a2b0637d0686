package socketio

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// frame is the setting of one client in the page.
type frame struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Server  string `json:"server"`
	// Role is "owner", "guest", or empty for a client that only connects.
	Role    string `json:"role,omitempty"`
	Room    string `json:"room,omitempty"`
	After   string `json:"after,omitempty"` // the frame that must be ready before
	Options J      `json:"options"`
}

// report is what a frame tells the test.
type report struct {
	Name, What, ID, Text, Transport string
	Same                            bool
}

// TestBrowser opens a page in Chromium in which the clients' own bundles, of version 2 and of version 4, meet over two
// gateways, whose origin is not the page's: an owner offers a WebRTC data channel to each of three guests, and bytes pass on
// each, there and back.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{"GATEWAY_ORIGINS=" + b.origin}})
	calls := map[string][4]int{"client-2": {2, 2, 2, 2}, "client-4": {4, 4, 4, 4}, "both": {2, 4, 2, 4}, "both again": {4, 2, 4, 2}}
	var frames []frame
	for call, versions := range calls {
		room := s.Room()
		for i, version := range versions {
			f := frame{
				Name: fmt.Sprintf("%s %d", call, i), Version: version, Server: urlOf(s, i), Role: "guest", Room: room,
				After: call + " 0", Options: J{},
			}
			if i == 0 {
				f.Role, f.After = "owner", ""
			}
			frames = append(frames, f)
		}
	}
	b.open(frames)

	ids := map[string]string{} // by the frame's name
	seen := map[string]int{}   // by what it is, who says it and of whom
	for done := false; !done; {
		r := b.next()
		switch r.What {
		case "connect":
			ids[r.Name] = r.ID
		case "client-joined", "end-of-candidates":
		case "echo":
			if !r.Same || r.Transport != websocket {
				t.Errorf("%+v", r)
			}
		default:
			t.Fatalf("%+v", r)
		}
		seen[r.What+r.Name+r.ID]++
		done = true
		for call := range calls {
			owner := call + " 0"
			for i := 1; i <= 3; i++ {
				guest := fmt.Sprintf("%s %d", call, i)
				done = done && seen["client-joined"+owner+ids[guest]] == 1 && seen["echo"+owner+ids[guest]] == 1 &&
					seen["end-of-candidates"+owner+ids[guest]] > 0 && seen["end-of-candidates"+guest+ids[owner]] > 0
			}
		}
	}
}

// TestBrowserFromAForeignOrigin opens the page at gateways that do not name its origin: neither transport lets it in.
func TestBrowserFromAForeignOrigin(t *testing.T) {
	b := newBrowser(t)
	s := labtest.PrivateOneProcess(t, "GATEWAY_ORIGINS=https://app.example.org", "LOG_LEVEL=debug")
	var frames []frame
	waiting := map[string]bool{}
	for _, k := range kinds {
		if k.version == 3 {
			continue
		}
		o := k.options()
		o["reconnection"] = false
		frames = append(frames, frame{Name: k.String(), Version: k.version, Server: urlOf(s, 0), Options: o})
		waiting[k.String()] = true
	}
	b.open(frames)
	for len(waiting) > 0 {
		r := b.next()
		if r.What != "connect-error" || !waiting[r.Name] {
			t.Fatalf("%+v", r)
		}
		delete(waiting, r.Name)
	}
	lines, _ := s.Gateways[0].Log().Since(0)
	if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "client connected") }) {
		t.Error("a client was let in")
	}
}

// browser is Chromium and the server of its page.
type browser struct {
	t                *testing.T
	chromium, origin string
	reports          chan report
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	modules, _ := need.Clients(t, root)
	b := &browser{t: t, chromium: need.Program(t, "chromium", "chromium"), reports: make(chan report, 1000)}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(filepath.Join("testdata", "browser"))))
	for _, version := range []string{"2", "4"} {
		mux.HandleFunc("GET /client-"+version+".js", func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, filepath.Join(modules, "socket.io-client-"+version, "dist", "socket.io.js"))
		})
	}
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var got report
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			got.What = err.Error()
		}
		b.reports <- got
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	// By another name than the gateways': pages of the gateway's own host may always connect.
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b.origin = "http://localhost:" + port
	return b
}

// open starts Chromium with the page. It ends with the test.
func (b *browser) open(frames []frame) {
	b.t.Helper()
	page := b.origin + "/?" + url.Values{"frames": {text(b.t, frames)}}.Encode()
	start(b.t, []string{
		b.chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
		"--disable-component-update", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + b.t.TempDir(),
		// Addresses of 127.0.0.1 as candidates, and not behind names that only multicast DNS resolves.
		"--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns", page,
	})
}

// next waits for the next report.
func (b *browser) next() report {
	b.t.Helper()
	select {
	case r := <-b.reports:
		return r
	case <-time.After(labtest.Patience):
		b.t.Fatal("nothing comes from the page")
		return report{}
	}
}
