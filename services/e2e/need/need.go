// Package need finds what some tests need beside Go: programs, and the Socket.IO clients from npm. A test whose need is not
// met is skipped with a line that says what is missing; with CI=true it fails, because CI installs everything.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns the path of a program. pkg is the Debian package that has it.
func Program(t testing.TB, name, pkg string) string {
	t.Helper()
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") { // where Debian puts servers
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path
		}
	}
	missing(t, "%s is not installed (Debian package %s)", name, pkg)
	return ""
}

// Clients returns the folder in which the Socket.IO clients from npm are installed, and Node's path. e2e is the path of
// this module's folder from the test's.
func Clients(t testing.TB, e2e string) (folder, node string) {
	t.Helper()
	node = Program(t, "node", "nodejs")
	folder, err := filepath.Abs(filepath.Join(e2e, "socketio", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "socket.io-client-2", "package.json")); err != nil {
		missing(t, "the Socket.IO clients are not installed: npm ci --prefix services/e2e/socketio/clients")
	}
	return folder, node
}

func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
