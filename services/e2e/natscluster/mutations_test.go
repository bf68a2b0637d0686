package natscluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
	"signalling/services/e2e/natskeys"
)

// TestPermissionsNoticeChanges changes the permissions in every way that matters and expects TestPermissions' rows to
// notice: each line left out, and what would open each list.
func TestPermissionsNoticeChanges(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := natskeys.Write(natskeys.Plan{Dir: keys, Nodes: []natskeys.Node{{Name: "n1", Hosts: []string{"127.0.0.1"}}}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := natscluster.Install(dir, filepath.Join(keys, "n1")); err != nil {
		t.Fatal(err)
	}
	account := filepath.Join(dir, "account.conf")
	text, err := os.ReadFile(account)
	if err != nil {
		t.Fatal(err)
	}
	changes := accountChanges(strings.Split(string(text), "\n"))
	if len(changes) < 30 {
		t.Fatalf("only %d changes were found: the file does not look as this test thinks", len(changes))
	}
	for name, lines := range changes {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(account, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			if noticed := surprise(t, dir, keys); (noticed == "") != (name == unchanged) {
				t.Errorf("surprised by: %q", noticed)
			} else {
				t.Log(noticed)
			}
		})
	}
}

const unchanged = "unchanged"

// accountChanges returns changed files by what was changed.
func accountChanges(lines []string) map[string][]string {
	changes := map[string][]string{unchanged: lines}
	for i, line := range lines {
		where := fmt.Sprintf("line %d ", i+1)
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(trimmed, `"`):
			changes[where+"without "+strings.Fields(trimmed)[0]] = slices.Delete(slices.Clone(lines), i, i+1)
		case strings.HasSuffix(trimmed, "{ allow: ["):
			changes[where+"everything allowed"] = slices.Insert(slices.Clone(lines), i+1, `">"`)
		case trimmed == "permissions: {":
			changes[where+"with responses"] = slices.Insert(slices.Clone(lines), i+1, "allow_responses: true")
		}
	}
	return changes
}

// surprise starts a server on the files of a folder and returns the first row that is not as it should be.
func surprise(t *testing.T, dir, keys string) string {
	t.Helper()
	srv := inProcess(t, dir)
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	seed := func(service string) string { return filepath.Join(keys, service, natskeys.SeedFile) }
	p, err := connectAll(srv.ClientURL(), filepath.Join(dir, "keys", natskeys.CAFile), seed)
	defer p.close()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range permissions() {
		if err := p.try(row); err != nil {
			return fmt.Sprintf("%s %s %s: %v", row.key, row.verb, row.subject, err)
		}
	}
	return ""
}

// inProcess starts a lone node in this process, on the files of a folder.
func inProcess(t *testing.T, dir string) *server.Server {
	t.Helper()
	for name, value := range map[string]string{
		"NATS_NAME": "n1", "NATS_LISTEN": "127.0.0.1:-1", "NATS_MONITOR_LISTEN": "127.0.0.1:-1", "NATS_STORE": t.TempDir(),
		"NATS_TLS_CERT": filepath.Join(dir, "keys", natskeys.CertFile), "NATS_TLS_KEY": filepath.Join(dir, "keys", natskeys.KeyFile),
	} {
		t.Setenv(name, value)
	}
	opts, err := server.ProcessConfigFile(filepath.Join(dir, natscluster.Single))
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(labtest.Patience) {
		srv.Shutdown()
		t.Fatal("the server does not start")
	}
	return srv
}
