// Package demo is a web page on which people call each other: the files in page, as they are. It is also where to begin
// an application of one's own, so it needs no build step, and nothing from any other host.
package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// The page's own files and connections to the server that it came from, nothing else; nobody frames it; text never
// becomes markup or script (Content Security Policy Level 3, Trusted Types).
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// What the page may use of the machine (Permissions Policy).
const permissionsPolicy = "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), " +
	"autoplay=(self), clipboard-write=(self), screen-wake-lock=(self), geolocation=(), payment=(), usb=(), serial=(), hid=(), " +
	"midi=(), clipboard-read=(), browsing-topics=()"

type file struct {
	contentType string
	etag        string
	text        []byte
}

// Handler serves the page at "/" and its files beside it. The page expects the browser SDK at /client.mjs and the native
// door at /ws.
func Handler() http.Handler {
	served := map[string]*file{}
	page, err := fs.Sub(files, "page")
	if err == nil {
		err = fs.WalkDir(page, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(page, name)
			served["/"+strings.TrimSuffix(name, "index.html")] = newFile(name, text)
			return err
		})
	}
	if err != nil {
		panic(err) // the files are embedded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		f := served[r.URL.Path]
		switch {
		case f == nil:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			w.Header().Set("Content-Type", f.contentType)
			w.Header().Set("ETag", f.etag)
			w.Header().Set("Cache-Control", "no-cache") // ask whether it is still the same
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.text))
		}
	})
}

func newFile(name string, text []byte) *file {
	sum := sha256.Sum256(text)
	return &file{
		contentType: contentType(name),
		etag:        strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:12])),
		text:        text,
	}
}

// contentType does not depend on what the machine has in its tables for the types that matter.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Permissions-Policy", permissionsPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
