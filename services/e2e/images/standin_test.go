//go:build linux

package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// image is a root file system in the making, of files of this machine.
type image struct {
	files   []imageFile
	changes []string
	err     error
}

// imageFile is a file or folder at a path of an image; from is where it is here, "" for an empty folder.
type imageFile struct {
	path, from string
	text       string
	uid        int
}

// library matches what ldd says of a library, or of the loader.
var library = regexp.MustCompile(`(?m)(/\S+) \(0x`)

// program adds a program, at its path here, with the libraries that it is linked with.
func (i *image) program(path string) { i.programAt(path, path) }

func (i *image) programAt(path, at string) {
	i.files = append(i.files, imageFile{path: at, from: path})
	out, err := exec.Command("ldd", path).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "not a dynamic executable") && !strings.Contains(string(out), "statically linked") {
		i.err = errors.Join(i.err, fmt.Errorf("ldd %s: %w: %s", path, err, out))
	}
	for _, m := range library.FindAllStringSubmatch(string(out), -1) {
		i.files = append(i.files, imageFile{path: m[1], from: m[1]})
	}
}

// tree adds a folder with all that is in it, but for what skip says.
func (i *image) tree(at, from string, skip func(path string) bool) {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case skip(path) && d.IsDir():
			return fs.SkipDir
		case skip(path) || d.IsDir():
			return nil
		}
		i.files = append(i.files, imageFile{path: at + strings.TrimPrefix(path, from), from: path})
		return nil
	})
	i.err = errors.Join(i.err, err)
}

// load makes the image known to the engine.
func (i *image) load(ctx context.Context, dir, name string) error {
	if i.err != nil {
		return i.err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(i.write(w)) }()
	args := []string{"import"}
	for _, c := range i.changes {
		args = append(args, "--change", c)
	}
	_, err := docker(ctx, dir, r, append(args, "-", name)...)
	_ = r.CloseWithError(err)
	return err
}

func (i *image) write(w io.Writer) error {
	t := tar.NewWriter(w)
	seen := map[string]bool{}
	for _, f := range i.files {
		if seen[f.path] {
			continue
		}
		seen[f.path] = true
		if err := f.write(t); err != nil {
			return err
		}
	}
	return t.Close()
}

func (f imageFile) write(t *tar.Writer) error {
	h := tar.Header{Name: strings.TrimPrefix(f.path, "/"), Mode: 0o755, Uid: f.uid, Gid: f.uid}
	if f.from == "" && f.text == "" {
		h.Typeflag = tar.TypeDir
		return t.WriteHeader(&h)
	}
	if f.text != "" {
		h.Size = int64(len(f.text))
		if err := t.WriteHeader(&h); err != nil {
			return err
		}
		_, err := io.WriteString(t, f.text)
		return err
	}
	file, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	h.Size, h.Mode = info.Size(), int64(info.Mode().Perm())
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	_, err = io.Copy(t, file)
	return err
}

// golang stands in for the official image: this machine's Go, a shell, and the authorities.
func golang(goroot string) *image {
	i := &image{changes: []string{"ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local HOME=/root"}}
	skip := func(path string) bool {
		path = strings.TrimPrefix(path, goroot)
		return path == "/test" || path == "/doc" || path == "/api" || strings.HasSuffix(path, "/testdata") || strings.HasSuffix(path, "_test.go")
	}
	i.tree("/usr/local/go", goroot, skip)
	i.program("/bin/sh")
	const authorities = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(authorities); err == nil {
		i.files = append(i.files, imageFile{path: authorities, from: authorities})
	} else {
		i.files = append(i.files, imageFile{path: authorities, text: "# none here\n"})
	}
	i.files = append(i.files, imageFile{path: "/tmp/"}, imageFile{path: "/etc/passwd", text: "root:x:0:0:root:/root:/bin/sh\n"})
	return i
}

// nats, haproxy and prometheus stand in for the official images, with the same commands, users and paths.
func nats(program string) *image {
	i := &image{changes: []string{`ENTRYPOINT ["/nats-server"]`}}
	i.programAt(program, "/nats-server")
	return i
}

func haproxy() *image {
	i := &image{changes: []string{`CMD ["/usr/local/sbin/haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]`, "USER 99:99"}}
	i.programAt(programPath("haproxy"), "/usr/local/sbin/haproxy")
	return i
}

func prometheus() *image {
	i := &image{changes: []string{
		`ENTRYPOINT ["/bin/prometheus"]`, "USER 65534:65534", "WORKDIR /prometheus", "VOLUME /prometheus",
		`CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]`,
	}}
	i.programAt(programPath("prometheus"), "/bin/prometheus")
	i.files = append(i.files, imageFile{path: "/prometheus/", uid: 65534}, imageFile{path: "/etc/prometheus/"})
	return i
}

func openFile(t testing.TB, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}
