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
	path := find(name)
	if path == "" {
		missing(t, "%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// Tool is a program and the Debian package that has it.
type Tool struct{ Name, Package string }

// Missing returns those that are not installed.
func Missing(tools ...Tool) (missing []Tool) {
	for _, tool := range tools {
		if find(tool.Name) == "" {
			missing = append(missing, tool)
		}
	}
	return missing
}

func find(name string) string {
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") { // where Debian puts servers
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path
		}
	}
	return ""
}

// Built returns the path of a file in the repository that a target of make builds.
func Built(t testing.TB, root, name, target string) string {
	t.Helper()
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		missing(t, "%s is not built (make %s)", name, target)
	}
	return path
}

// Clients returns the node_modules with the Socket.IO clients from npm, and Node's path. They are those that pkg/socketio is
// tested with too, so that one package.json says which. root is the path of the repository from the test's folder.
func Clients(t testing.TB, root string) (modules, node string) {
	t.Helper()
	const folder = "pkg/socketio/testdata/clients"
	node = Program(t, "node", "nodejs")
	modules, err := filepath.Abs(filepath.Join(root, folder, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"2", "3", "4"} {
		if _, err := os.Stat(filepath.Join(modules, "socket.io-client-"+version, "package.json")); err != nil {
			missing(t, "the Socket.IO clients are not installed (npm ci --prefix %s)", folder)
		}
	}
	return modules, node
}

func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Modules demands packages from npm that a package.json in folder names.
func Modules(t testing.TB, folder string, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(folder, "node_modules", name, "package.json")); err != nil {
			missing(t, "%s is not installed (npm ci --prefix services/e2e/%s)", name, filepath.Base(absolute(folder)))
		}
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
