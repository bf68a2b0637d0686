package demo

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func request(method, path, ifNoneMatch string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	if ifNoneMatch != "" {
		r.Header.Set("If-None-Match", ifNoneMatch)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestEveryFileIsServedWithItsTypeAndPolicy(t *testing.T) {
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	served := 0
	err := fs.WalkDir(files, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		served++
		path := strings.TrimSuffix(strings.TrimPrefix(name, "page"), "index.html")
		resp := request(http.MethodGet, path, "")
		h := resp.Header()
		want := types[name[strings.LastIndexByte(name, '.'):]]
		if resp.Code != http.StatusOK || h.Get("Content-Type") != want || want == "" {
			t.Errorf("%s: %d, %q", path, resp.Code, h.Get("Content-Type"))
		}
		if h.Get("Content-Security-Policy") != contentPolicy || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Permissions-Policy") == "" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", path, h)
		}
		if again := request(http.MethodGet, path, h.Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
		return nil
	})
	if err != nil || served < 5 {
		t.Errorf("%d files, %v", served, err)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, path := range []string{"/index.html", "/page/app.js", "/../demo.go", "/nothing"} {
		if resp := request(http.MethodGet, path, ""); resp.Code != http.StatusNotFound || resp.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d", path, resp.Code)
		}
	}
	if resp := request(http.MethodPost, "/", ""); resp.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.Code)
	}
	if resp := request(http.MethodHead, "/", ""); resp.Code != http.StatusOK {
		t.Errorf("HEAD: %d", resp.Code)
	}
}

// Nothing of the policy is given away: no other host, nothing inline, no eval.
func TestThePolicyAndThePageAgree(t *testing.T) {
	if m := regexp.MustCompile(`unsafe|https?:|wss?:|\*`).FindString(contentPolicy); m != "" {
		t.Errorf("the policy has %q", m)
	}
	html, err := files.ReadFile("page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`<script(>|[^>]*>[^<])`, `<style`, ` style=`, ` on[a-z]+=`, `https?://`} {
		if m := regexp.MustCompile(bad).Find(html); m != nil {
			t.Errorf("index.html has %q", m)
		}
	}
}
