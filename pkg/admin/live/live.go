// Package live is the page on an admin address: it shows what a process has, as it is now. The page only reads, needs nothing
// from any other host, and takes what it shows for text, whoever chose it.
//
// It knows the fields of signalling/api/operate's Live by their names in JSON.
package live

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

//go:embed page
var files embed.FS

// The page's own files, its questions to the process that it came from, nothing else; nobody frames it; text never becomes
// markup or script (Content Security Policy Level 3, Trusted Types).
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Source returns what the page shows, as something that encoding/json writes. query says what the page asks for: prefix of
// rooms' names, and the room whose members are to be shown. It must return when ctx ends, and may be called from several
// goroutines at once.
type Source func(ctx context.Context, query url.Values) (any, error)

// Mux is where the page is put: an *http.ServeMux, or an admin server.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Serve adds the page at GET /, its files beside it, and GET /live.json with what source says. It takes no other patterns than
// those. An error of source is answered with status 503.
func Serve(mux Mux, source Source) {
	for name, path := range map[string]string{"live.html": "/{$}", "live.css": "/live.css", "live.js": "/live.js", "live.svg": "/live.svg"} {
		mux.Handle("GET "+path, file(name))
	}
	mux.Handle("GET /live.json", secured(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		answer, err := source(r.Context(), r.URL.Query())
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			answer = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer) // the page went away: nobody is left to tell
	}))
}

var contentTypes = map[string]string{
	"live.html": "text/html; charset=utf-8", "live.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8",
	"live.svg": "image/svg+xml",
}

// file serves one of the page's files.
func file(name string) http.Handler {
	text, err := files.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(text)
	etag := strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:12]))
	return secured(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentTypes[name])
		w.Header().Set("Cache-Control", "no-cache") // ask whether it is still the same
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(text) // as above
	})
}

// secured adds the headers that every answer has.
func secured(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next(w, r)
	})
}
