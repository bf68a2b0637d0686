package browser

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/labtest"
)

// Every gateway has the SDK; the one-process build has the page too, a gateway only where it is switched on.
func TestWhatIsServedByDefault(t *testing.T) {
	t.Parallel()
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		base := "http" + strings.TrimSuffix(strings.TrimPrefix(s.URLOf(0), "ws"), "ws")
		page := http.StatusNotFound
		if s.Name == "one-process" {
			page = http.StatusOK
		}
		for path, want := range map[string]int{
			"client.js": http.StatusOK, "client.mjs": http.StatusOK, "client.d.ts": http.StatusOK, "": page, "app.js": page,
		} {
			if status, _ := get(t, base+path); status != want {
				t.Errorf("/%s: %d, want %d", path, status, want)
			}
		}
		if _, text := get(t, base+"client.js"); !strings.HasPrefix(text, "/*! signalling client ") {
			t.Errorf("client.js begins with %.60q", text)
		}
	})
}

func get(t *testing.T, url string) (status int, text string) {
	t.Helper()
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
