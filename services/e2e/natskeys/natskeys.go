package natskeys

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// Who has an NKey, by the names of their folders: the services, and operators with signalctl.
const (
	Gateway = "gateway"
	Rooms   = "rooms"
	Admin   = "admin"
)

// holders are all of them.
var holders = []string{Gateway, Rooms, Admin}

// Names of files in the folders.
const (
	CAFile     = "ca.pem"      // the authority's certificate: everybody's NATS_TLS_CA
	CertFile   = "server.pem"  // a node's certificate
	KeyFile    = "server.key"  // its key
	UsersFile  = "users.conf"  // the public keys of services and operators, which nats-server includes
	RoutesFile = "routes.conf" // the nodes and their password, which nats-server includes
	SeedFile   = "user.nk"     // a service's NKey seed: its NATS_NKEY
)

const (
	authorityDir = "authority"
	caKeyFile    = "ca.key"
	passwordFile = "route-password"
	caName       = "NATS of the signalling server"
)

// DefaultValidity is how long a node's certificate is valid.
const DefaultValidity = 365 * 24 * time.Hour

// authorityValidity is how long the authority's own certificate is valid.
const authorityValidity = 10 * 365 * 24 * time.Hour

// Node is one nats-server.
type Node struct {
	// Name is that of its folder and server_name.
	Name string
	// Route is host:port where the other nodes reach it. A lone node needs none.
	Route string
	// Hosts are further names and addresses by which it is reached; Route's host is always one.
	Hosts []string
}

// hosts are all names and addresses for the node's certificate.
func (n Node) hosts() []string {
	all := slices.Clone(n.Hosts)
	if host, _, err := net.SplitHostPort(n.Route); err == nil {
		all = append(all, host)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Plan says what to make.
type Plan struct {
	// Dir gets the folders.
	Dir   string
	Nodes []Node
	// Validity of the nodes' certificates; 0 means DefaultValidity.
	Validity time.Duration
}

// ErrPlan is wrapped by errors that a wrong Plan causes.
var ErrPlan = errors.New("natskeys: the plan is wrong")

// name is what is fit for a folder and a server_name.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

func (p Plan) validate() error {
	if p.Dir == "" || len(p.Nodes) == 0 {
		return fmt.Errorf("%w: it needs a folder and at least one node", ErrPlan)
	}
	taken := map[string]bool{authorityDir: true}
	for _, holder := range holders {
		taken[holder] = true
	}
	for _, n := range p.Nodes {
		_, _, err := net.SplitHostPort(n.Route)
		switch {
		case !name.MatchString(n.Name):
			return fmt.Errorf("%w: %q is no name for a node: letters, digits, _ and -", ErrPlan, n.Name)
		case taken[n.Name]:
			return fmt.Errorf("%w: the name %q is taken", ErrPlan, n.Name)
		case err != nil && (len(p.Nodes) > 1 || n.Route != ""):
			return fmt.Errorf("%w: node %s: %q is not host:port", ErrPlan, n.Name, n.Route)
		case len(n.hosts()) == 0:
			return fmt.Errorf("%w: node %s has no host name or address", ErrPlan, n.Name)
		}
		taken[n.Name] = true
	}
	return nil
}

// Write makes what is missing. Secrets and certificates that exist are kept; a certificate that lacks a name of its node,
// or has less than a third of its time left, is replaced. What follows from them is written anew. The errors of a wrong
// plan wrap ErrPlan.
func Write(p Plan) error {
	if p.Validity == 0 {
		p.Validity = DefaultValidity
	}
	if err := p.validate(); err != nil {
		return err
	}
	w := &writer{plan: p}
	for _, step := range []func() error{w.authority, w.services, w.nodes} {
		if err := step(); err != nil {
			return fmt.Errorf("natskeys: %w", err)
		}
	}
	return nil
}

// writer carries out a plan.
type writer struct {
	plan     Plan
	ca       authority
	password string
	users    []byte // the content of UsersFile
}

// folder makes a folder of the plan that only its owner may enter.
func (w *writer) folder(folder string) (string, error) {
	path := filepath.Join(w.plan.Dir, folder)
	return path, os.MkdirAll(path, 0o700)
}

func (w *writer) authority() error {
	dir, err := w.folder(authorityDir)
	if err != nil {
		return err
	}
	if w.ca, err = openAuthority(dir); err != nil {
		return err
	}
	password, err := keep(filepath.Join(dir, passwordFile), newPassword)
	w.password = string(password)
	return err
}

func (w *writer) services() error {
	for _, service := range holders {
		dir, err := w.folder(service)
		if err != nil {
			return err
		}
		seed, err := keep(filepath.Join(dir, SeedFile), newSeed)
		if err != nil {
			return err
		}
		public, err := publicKey(seed)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(dir, SeedFile), err)
		}
		w.users = fmt.Appendf(w.users, "%s_NKEY: %s\n", service, public)
		if err := os.WriteFile(filepath.Join(dir, CAFile), w.ca.pem, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) nodes() error {
	for _, n := range w.plan.Nodes {
		dir, err := w.folder(n.Name)
		if err != nil {
			return err
		}
		if err := w.ca.certify(dir, n, w.plan.Validity); err != nil {
			return err
		}
		files := map[string][]byte{CAFile: w.ca.pem, UsersFile: w.users}
		if len(w.plan.Nodes) > 1 {
			files[RoutesFile] = w.routes()
		}
		for file, content := range files {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// routes is the content of RoutesFile: a route's URL needs the password in clear, and a variable cannot stand inside of a
// string of nats-server's configuration.
func (w *writer) routes() []byte {
	text := fmt.Appendf(nil, "authorization { user: node, password: %q, timeout: 5 }\nroutes: [\n", w.password)
	for _, n := range w.plan.Nodes {
		text = fmt.Appendf(text, "  \"nats-route://node:%s@%s\"\n", w.password, n.Route)
	}
	return append(text, "]\n"...)
}

// keep returns a file's content, which is made if there is none.
func keep(path string, create func() ([]byte, error)) ([]byte, error) {
	content, err := os.ReadFile(path) //nolint:gosec // G304: of the plan's folder
	if !errors.Is(err, os.ErrNotExist) {
		return content, err
	}
	if content, err = create(); err != nil {
		return nil, err
	}
	return content, os.WriteFile(path, content, 0o600)
}
