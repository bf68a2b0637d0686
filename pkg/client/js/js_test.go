package js

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalling/api/client"
)

// maxZipped is how large a built script may be when it travels.
const maxZipped = 12 << 10

func get(t *testing.T, path string, header map[string]string) (resp *httptest.ResponseRecorder, body []byte) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w, w.Body.Bytes()
}

func TestHandlerServesTheFiles(t *testing.T) {
	types := map[string]string{
		"/client.js": "text/javascript; charset=utf-8", "/client.mjs": "text/javascript; charset=utf-8",
		"/client.d.ts": "text/plain; charset=utf-8",
	}
	for _, path := range Paths {
		want, err := os.ReadFile("dist" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp, body := get(t, path, nil)
		if resp.Code != http.StatusOK || !bytes.Equal(body, want) {
			t.Errorf("%s: status %d, %d bytes, want %d", path, resp.Code, len(body), len(want))
		}
		got := map[string]string{}
		for _, name := range []string{
			"Content-Type", "Content-Encoding", "Cache-Control", "Vary", "X-Content-Type-Options", "Access-Control-Allow-Origin",
			"Cross-Origin-Resource-Policy", VersionHeader,
		} {
			got[name] = resp.Header().Get(name)
		}
		if diff := cmp.Diff(map[string]string{
			"Content-Type": types[path], "Content-Encoding": "", "Cache-Control": "public, no-cache", "Vary": "Accept-Encoding",
			"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin",
			VersionHeader: Version,
		}, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if resp, _ := get(t, "/client.css", nil); resp.Code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", resp.Code)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/client.js", http.NoBody))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	w = httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/client.js", http.NoBody))
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("ETag") == "" {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestHandlerCompressesWhereItIsAsked(t *testing.T) {
	for accept, zipped := range map[string]bool{
		"gzip": true, "gzip, deflate, br": true, "br;q=1, gzip;q=0.5": true, "gzip; q=0": false, "gzip;q=0.0": false,
		"": false, "br": false, "identity": false,
	} {
		resp, body := get(t, "/client.mjs", map[string]string{"Accept-Encoding": accept})
		if got := resp.Header().Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("Accept-Encoding %q: compressed is %v", accept, got)
			continue
		}
		if !zipped {
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		_, want := get(t, "/client.mjs", nil)
		if err != nil || !bytes.Equal(plain, want) {
			t.Errorf("Accept-Encoding %q: not the same text (%v)", accept, err)
		}
	}
}

func TestHandlerAnswersNotModified(t *testing.T) {
	tags := map[string]bool{}
	for _, accept := range []string{"", "gzip"} {
		resp, _ := get(t, "/client.mjs", map[string]string{"Accept-Encoding": accept})
		tag := resp.Header().Get("ETag")
		tags[tag] = true
		for match, status := range map[string]int{
			tag: 304, "W/" + tag: 304, `"other", ` + tag: 304, "*": 304, `"other"`: 200,
		} {
			resp, body := get(t, "/client.mjs", map[string]string{"Accept-Encoding": accept, "If-None-Match": match})
			if resp.Code != status || (status == 304 && len(body) > 0) || resp.Header().Get("ETag") != tag {
				t.Errorf("If-None-Match %s: %d with %d bytes, want %d", match, resp.Code, len(body), status)
			}
		}
	}
	if len(tags) != 2 {
		t.Errorf("one ETag for two representations: %v", tags)
	}
}

func TestScriptsAreSmallAndSayTheirVersion(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(Version) {
		t.Errorf("version %q", Version)
	}
	for _, path := range []string{"/client.js", "/client.mjs"} {
		_, zipped := get(t, path, map[string]string{"Accept-Encoding": "gzip"})
		_, plain := get(t, path, nil)
		t.Logf("%s: %d bytes, %d compressed", path, len(plain), len(zipped))
		if len(zipped) > maxZipped {
			t.Errorf("%s is larger than %d bytes", path, maxZipped)
		}
		if first, _, _ := strings.Cut(string(plain), "\n"); !strings.Contains(first, " "+Version+" ") {
			t.Errorf("the first line of %s does not have the version: %.100s", path, first)
		}
	}
}

// The SDK's tables against those of the contract.
func TestTheTablesAreThoseOfTheContract(t *testing.T) {
	text, err := os.ReadFile("src/protocol.ts")
	if err != nil {
		t.Fatal(err)
	}
	find := func(expression string) string {
		m := regexp.MustCompile(expression).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in protocol.ts", expression)
		}
		return string(m[1])
	}
	if got := find(`PROTOCOL = (\d+);`); got != strconv.Itoa(client.Protocol) {
		t.Errorf("protocol %s", got)
	}
	if got := find(`SUBPROTOCOL = "([^"]*)";`); got != client.Subprotocol {
		t.Errorf("subprotocol %s", got)
	}
	var final, want []string
	for number := range strings.SplitSeq(find(`FINAL = new Set\(\[([^\]]*)\]\)`), ",") {
		final = append(final, strings.TrimSpace(number))
	}
	for _, c := range client.Closes {
		if !c.Reconnect {
			want = append(want, strconv.Itoa(int(c.Code)))
		}
	}
	slices.Sort(want)
	slices.Sort(final)
	if diff := cmp.Diff(want, final); diff != "" {
		t.Errorf("final close codes: %s", diff)
	}
	var codes []string
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(find(`type ErrorCode =([^;]*);`), -1) {
		codes = append(codes, m[1])
	}
	var contract []string
	for _, c := range client.Codes {
		contract = append(contract, string(c))
	}
	if diff := cmp.Diff(contract, codes); diff != "" {
		t.Errorf("error codes: %s", diff)
	}
}

// What tsc says of the sources and of a program that uses the declarations, and whether those are up to date.
func TestTypes(t *testing.T) {
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.FromSlash("node_modules/typescript/package.json"))
	}
	if err != nil {
		text := "Node or the type checker is missing: npm ci --prefix pkg/client/js"
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), node, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("node_modules/typescript/bin/tsc", "--noEmit")
	run("node_modules/typescript/bin/tsc", "--project", "test")
	made := filepath.Join(t.TempDir(), "client.d.ts")
	run("tool/types.mjs", made)
	got, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("dist/client.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), string(got)); diff != "" {
		t.Errorf("dist/client.d.ts is out of date; run npm run types:\n%s", diff)
	}
}
