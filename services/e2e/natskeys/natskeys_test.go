package natskeys_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	"signalling/services/e2e/natskeys"
)

func three(dir string) natskeys.Plan {
	return natskeys.Plan{Dir: dir, Nodes: []natskeys.Node{
		{Name: "n1", Route: "nats-1:6222", Hosts: []string{"10.0.0.1"}},
		{Name: "n2", Route: "nats-2:6222", Hosts: []string{"10.0.0.2"}},
		{Name: "n3", Route: "nats-3:6222", Hosts: []string{"10.0.0.3"}},
	}}
}

// write makes the plan and returns all files by their paths below its folder.
func write(t *testing.T, p natskeys.Plan) map[string]string {
	t.Helper()
	if err := natskeys.Write(p); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	err := filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && path != p.Dir {
			t.Errorf("%s: mode %v: others may look into it", path, info.Mode())
		}
		if !d.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(p.Dir, path)
			files[filepath.ToSlash(rel)] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEachMachineGetsItsOwn(t *testing.T) {
	files := write(t, three(filepath.Join(t.TempDir(), "keys")))
	want := []string{"admin/ca.pem", "admin/user.nk", "authority/ca.key", "authority/ca.pem", "authority/route-password", "gateway/ca.pem", "gateway/user.nk", "rooms/ca.pem", "rooms/user.nk"}
	for _, n := range []string{"n1", "n2", "n3"} {
		for _, f := range []string{"ca.pem", "routes.conf", "server.key", "server.pem", "users.conf"} {
			want = append(want, n+"/"+f)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Fatal(diff)
	}
	keys := map[string]string{}
	for path, content := range files {
		if strings.HasSuffix(path, ".key") || strings.HasSuffix(path, ".nk") {
			if other := keys[content]; other != "" {
				t.Errorf("%s and %s are the same", path, other)
			}
			keys[content] = path
		}
	}
	for _, service := range []string{natskeys.Gateway, natskeys.Rooms, natskeys.Admin} {
		pair, err := nkeys.ParseDecoratedUserNKey([]byte(files[service+"/user.nk"]))
		if err != nil {
			t.Fatal(err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if line := service + "_NKEY: " + public + "\n"; !strings.Contains(files["n2/users.conf"], line) {
			t.Errorf("users.conf does not have %q:\n%s", line, files["n2/users.conf"])
		}
	}
	if regexp.MustCompile(`\bSU[A-Z2-7]{56}\b`).MatchString(files["n1/users.conf"]) {
		t.Error("users.conf has a seed")
	}
}

func TestCertificates(t *testing.T) {
	plan := three(filepath.Join(t.TempDir(), "keys"))
	files := write(t, plan)
	verify(t, files, "n1", "nats-1", "10.0.0.1")
	if err := hostname(files, "n1", "nats-2"); err == nil {
		t.Error("n1 can pass for nats-2")
	}
}

func parse(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func verify(t *testing.T, files map[string]string, node string, hosts ...string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(files["gateway/ca.pem"]))
	for _, host := range hosts {
		_, err := parse(t, files[node+"/server.pem"]).Verify(x509.VerifyOptions{
			DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			t.Errorf("%s as %s: %v", node, host, err)
		}
	}
}

func hostname(files map[string]string, node, host string) error {
	block, _ := pem.Decode([]byte(files[node+"/server.pem"]))
	cert, err := x509.ParseCertificate(block.Bytes)
	return errors.Join(err, cert.VerifyHostname(host))
}

func TestAgainKeepsWhatIsThere(t *testing.T) {
	plan := three(filepath.Join(t.TempDir(), "keys"))
	before := write(t, plan)
	if diff := cmp.Diff(before, write(t, plan)); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

func TestAgainAddsWhatIsMissing(t *testing.T) {
	plan := three(filepath.Join(t.TempDir(), "keys"))
	before := write(t, plan)

	plan.Nodes[0].Hosts = append(plan.Nodes[0].Hosts, "nats.example")
	plan.Nodes = append(plan.Nodes, natskeys.Node{Name: "n4", Route: "nats-4:6222"})
	after := write(t, plan)
	verify(t, after, "n1", "nats-1", "10.0.0.1", "nats.example")
	verify(t, after, "n4", "nats-4")
	for _, path := range []string{"authority/ca.key", "authority/ca.pem", "n1/server.key", "n2/server.pem", "n2/users.conf", "rooms/user.nk"} {
		if before[path] != after[path] {
			t.Errorf("%s has changed", path)
		}
	}
	if before["n1/server.pem"] == after["n1/server.pem"] {
		t.Error("n1 has its old certificate")
	}
	if !strings.Contains(after["n2/routes.conf"], "@nats-4:6222") || after["n2/routes.conf"] != after["n4/routes.conf"] {
		t.Errorf("n2 does not know n4:\n%s", after["n2/routes.conf"])
	}
}

func TestRenewal(t *testing.T) {
	plan := three(filepath.Join(t.TempDir(), "keys"))
	plan.Validity = 10 * time.Minute // and an hour that has passed already: less than a third is left
	before := write(t, plan)
	plan.Validity = 0
	after := write(t, plan)
	if before["n1/server.pem"] == after["n1/server.pem"] {
		t.Fatal("the certificate was not renewed")
	}
	verify(t, after, "n1", "nats-1")
	if left := time.Until(parse(t, after["n1/server.pem"]).NotAfter); left < natskeys.DefaultValidity-time.Hour {
		t.Errorf("the new one is valid for %v", left)
	}
}

func TestOneNode(t *testing.T) {
	files := write(t, natskeys.Plan{
		Dir: filepath.Join(t.TempDir(), "keys"), Nodes: []natskeys.Node{{Name: "n1", Hosts: []string{"localhost", "127.0.0.1"}}},
	})
	verify(t, files, "n1", "localhost", "127.0.0.1")
	if _, there := files["n1/routes.conf"]; there {
		t.Error("a lone node has routes")
	}
}

func TestWrongPlans(t *testing.T) {
	for name, change := range map[string]func(*natskeys.Plan){
		"no folder":           func(p *natskeys.Plan) { p.Dir = "" },
		"no nodes":            func(p *natskeys.Plan) { p.Nodes = nil },
		"a name twice":        func(p *natskeys.Plan) { p.Nodes[1].Name = "n1" },
		"a name of a service": func(p *natskeys.Plan) { p.Nodes[1].Name = "rooms" },
		"operators' name":     func(p *natskeys.Plan) { p.Nodes[1].Name = "admin" },
		"a name with a slash": func(p *natskeys.Plan) { p.Nodes[1].Name = "../n2" },
		"no name":             func(p *natskeys.Plan) { p.Nodes[1].Name = "" },
		"no port":             func(p *natskeys.Plan) { p.Nodes[1].Route = "nats-2" },
		"no route":            func(p *natskeys.Plan) { p.Nodes[1].Route = "" },
		"no host":             func(p *natskeys.Plan) { p.Nodes = []natskeys.Node{{Name: "n1"}} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			plan := three(dir)
			change(&plan)
			if err := natskeys.Write(plan); !errors.Is(err, natskeys.ErrPlan) {
				t.Errorf("got %v, want ErrPlan", err)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("something was written")
			}
		})
	}
}

func TestForeignFiles(t *testing.T) {
	for _, path := range []string{"authority/ca.key", "authority/ca.pem", "n1/server.key", "rooms/user.nk"} {
		plan := three(filepath.Join(t.TempDir(), "keys"))
		write(t, plan)
		if err := os.WriteFile(filepath.Join(plan.Dir, path), []byte("something else"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := natskeys.Write(plan); err == nil {
			t.Errorf("%s is nonsense, and nothing is said", path)
		}
	}
}

func TestForeignAuthority(t *testing.T) {
	plan := three(filepath.Join(t.TempDir(), "keys"))
	write(t, plan)
	other := write(t, three(filepath.Join(t.TempDir(), "keys")))
	if err := os.WriteFile(filepath.Join(plan.Dir, "authority", "ca.key"), []byte(other["authority/ca.key"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := natskeys.Write(plan); err == nil {
		t.Error("the authority's key is another's, and nothing is said")
	}
}
