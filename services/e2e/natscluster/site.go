package natscluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/natskeys"
)

// Site is a set of nodes in a lab, with the keys to them.
type Site struct {
	Nodes []*Node
	// Keys is the folder with the folders of all keys.
	Keys string

	lab *lab.Lab
}

// loopback is where everything listens.
const loopback = "127.0.0.1"

// New makes a site of one node or several, and does not start them.
func New(l *lab.Lab, nodes int) (*Site, error) {
	s := &Site{lab: l, Keys: filepath.Join(l.Dir(), "keys")}
	plan := natskeys.Plan{Dir: s.Keys}
	for i := range nodes {
		n, err := newNode("n" + strconv.Itoa(i+1))
		if err != nil {
			return nil, err
		}
		s.Nodes = append(s.Nodes, n)
		plan.Nodes = append(plan.Nodes, natskeys.Node{Name: n.Name, Route: n.Cluster})
	}
	if err := natskeys.Write(plan); err != nil {
		return nil, err
	}
	conf := Single
	if nodes > 1 {
		conf = Cluster
	}
	for _, n := range s.Nodes {
		if err := s.add(n, conf); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add puts a node's files and process into the lab.
func (s *Site) add(n *Node, conf string) error {
	dir := filepath.Join(s.lab.Dir(), n.Name)
	if err := Install(dir, filepath.Join(s.Keys, n.Name)); err != nil {
		return err
	}
	process, err := s.lab.NATS(n.Name, 0)
	if err != nil {
		return err
	}
	process.Args = []string{"-c", filepath.Join(dir, conf)}
	process.Env = []string{
		"NATS_NAME=" + n.Name,
		"NATS_LISTEN=" + n.Client,
		"NATS_CLUSTER_LISTEN=" + n.Cluster,
		"NATS_MONITOR_LISTEN=" + n.Monitor,
		"NATS_STORE=" + filepath.Join(dir, "store"),
		"NATS_TLS_CERT=" + filepath.Join(dir, "keys", natskeys.CertFile),
		"NATS_TLS_KEY=" + filepath.Join(dir, "keys", natskeys.KeyFile),
		"NATS_TLS_CA=" + filepath.Join(dir, "keys", natskeys.CAFile),
	}
	n.Process = process
	return nil
}

// Start starts all nodes, and returns when they are ready and, several, know each other.
func (s *Site) Start(ctx context.Context) error {
	for _, n := range s.Nodes {
		if err := n.Process.Launch(ctx); err != nil {
			return err
		}
	}
	for _, n := range s.Nodes {
		if err := errors.Join(n.Process.Ready(ctx), n.Healthy(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// URL is the NATS_URL of all nodes.
func (s *Site) URL() string {
	urls := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		urls[i] = n.URL()
	}
	return strings.Join(urls, ",")
}

// Key is the path of a service's NKey seed, and CA that of the authority's certificate.
func (s *Site) Key(service string) string {
	return filepath.Join(s.Keys, service, natskeys.SeedFile)
}

// CA is the path of the authority's certificate, as a service has it.
func (s *Site) CA(service string) string {
	return filepath.Join(s.Keys, service, natskeys.CAFile)
}

// access are a service's settings for NATS.
func (s *Site) access(service string) []string {
	return []string{"NATS_NKEY=" + s.Key(service), "NATS_TLS_CA=" + s.CA(service)}
}

// Rooms adds a rooms instance with its key.
func (s *Site) Rooms(name string, env ...string) *lab.Process {
	return s.lab.Rooms(name, s.URL(), append(s.access(natskeys.Rooms), env...)...)
}

// Gateway adds a gateway with its key.
func (s *Site) Gateway(name string, env ...string) *lab.Process {
	return s.lab.Gateway(name, s.URL(), append(s.access(natskeys.Gateway), env...)...)
}

// Named returns the node of that name.
func (s *Site) Named(name string) (*Node, error) {
	for _, n := range s.Nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("there is no node %q", name)
}

func freeAddress() (string, error) {
	port, err := lab.FreePort()
	return net.JoinHostPort(loopback, strconv.Itoa(port)), err
}
