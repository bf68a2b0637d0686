package natscluster_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
	"signalling/services/e2e/natskeys"
)

// TestKeyReplaced replaces the key of the gateways as deploy/nats/README.md says, while a stolen one is in use.
func TestKeyReplaced(t *testing.T) {
	keys, dir := foreign(t), t.TempDir()
	must(t, natscluster.Install(dir, filepath.Join(keys, "n1")))
	srv := inProcess(t, dir)
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	ca := nats.RootCAs(filepath.Join(dir, "keys", natskeys.CAFile))
	seed := filepath.Join(keys, natskeys.Gateway, natskeys.SeedFile)
	connect := func(options ...nats.Option) (*nats.Conn, error) {
		key, err := nats.NkeyOptionFromSeed(seed)
		must(t, err)
		return nats.Connect(srv.ClientURL(), append(options, key, ca)...)
	}
	closed := make(chan struct{})
	stolen, err := connect(nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	must(t, err)
	defer stolen.Close()

	must(t, os.Remove(seed))
	must(t, natskeys.Write(natskeys.Plan{Dir: keys, Nodes: []natskeys.Node{{Name: "n1", Hosts: []string{"127.0.0.1"}}}}))
	users, err := os.ReadFile(filepath.Join(keys, "n1", natskeys.UsersFile))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "keys", natskeys.UsersFile), users, 0o600))
	must(t, srv.Reload())

	select {
	case <-closed:
	case <-time.After(labtest.Patience):
		t.Fatal("the old key is still connected")
	}
	renewed, err := connect()
	must(t, err)
	defer renewed.Close()
	must(t, flush(renewed))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
