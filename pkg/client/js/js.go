// Package js is the browser SDK, as files to serve: the TypeScript sources in src, built into dist, embedded. It needs
// nothing at run time, and building a Go program with it needs no Node.
package js

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:generate env GOWORK=off go -C tool run .

//go:embed dist/client.js dist/client.mjs dist/client.d.ts package.json
var files embed.FS

// Version is the SDK's version (semantic versioning), from its package.json. It also stands in the first line of each
// script and in the header of each response.
var Version = version()

// VersionHeader names the response header that holds Version.
const VersionHeader = "X-Signalling-Client"

// Paths are what Handler answers: the classic script with the global Signalling, the ES module, and the types of both.
var Paths = []string{"/client.js", "/client.mjs", "/client.d.ts"}

func version() string {
	text, err := files.ReadFile("package.json")
	var pkg struct{ Version string }
	if err != nil || json.Unmarshal(text, &pkg) != nil {
		panic("package.json is embedded, and generated from") // unreachable: a test reads it
	}
	return pkg.Version
}

// Handler serves Paths. Any page may load the scripts. Caches keep them, and ask before each use whether they are still
// the same (RFC 9111 section 5.2.2.4), so a page never runs another version than its server's.
func Handler() http.Handler {
	assets := make(map[string]*asset, len(Paths))
	for _, path := range Paths {
		assets[path] = newAsset(path)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := assets[r.URL.Path]
		if a == nil {
			http.NotFound(w, r)
			return
		}
		a.serve(w, r)
	})
}

type asset struct {
	contentType string
	etag        string
	plain       []byte
	zipped      func() []byte
}

func newAsset(path string) *asset {
	text, err := files.ReadFile("dist" + path)
	if err != nil {
		panic(err) // Paths are embedded
	}
	sum := sha256.Sum256(text)
	a := &asset{contentType: "text/javascript; charset=utf-8", etag: base64.RawURLEncoding.EncodeToString(sum[:12]), plain: text}
	if strings.HasSuffix(path, ".ts") {
		a.contentType = "text/plain; charset=utf-8" // there is no registered type
	}
	a.zipped = sync.OnceValue(func() []byte { return zip(text) })
	return a
}

// zip cannot fail: it writes to memory, at a level that exists.
func zip(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, etag := a.plain, a.etag
	if acceptsGzip(r) {
		body, etag = a.zipped(), a.etag+"-gz" // another representation (RFC 9110 section 8.8.3.3)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", strconv.Quote(etag))
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set(VersionHeader, Version)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body)) // answers 304 where the ETag is known
}

// acceptsGzip is strict where the header is unusual: the plain text is always right.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.TrimSpace(name) == "gzip" {
			q := strings.ReplaceAll(params, " ", "")
			return strings.TrimRight(q, "0") != "q=" && strings.TrimRight(q, "0") != "q=0."
		}
	}
	return false
}
