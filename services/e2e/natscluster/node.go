package natscluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"signalling/services/e2e/lab"
)

// Node is one nats-server.
type Node struct {
	Name    string
	Process *lab.Process

	// Addresses, host:port: for services, for nodes, and for probes.
	Client, Cluster, Monitor string
}

func newNode(name string) (*Node, error) {
	n := &Node{Name: name}
	for _, addr := range []*string{&n.Client, &n.Cluster, &n.Monitor} {
		var err error
		if *addr, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// URL is where services connect.
func (n *Node) URL() string { return "tls://" + n.Client }

// pollInterval is how often a node is asked: it offers no notification.
const pollInterval = 50 * time.Millisecond

// Healthy waits until the node says that it is: it is in touch with the others and its share of JetStream is complete.
func (n *Node) Healthy(ctx context.Context) error {
	for {
		status, body, err := n.ask(ctx, "/healthz")
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return fmt.Errorf("%s is not healthy: status %d, %s: %w", n.Name, status, body, errors.Join(err, ctx.Err()))
		}
	}
}

// Leader asks the node which one leads the stream of the bucket; empty if it knows none.
func (n *Node) Leader(ctx context.Context, bucket string) (string, error) {
	_, body, err := n.ask(ctx, "/jsz?accounts=true&streams=true")
	if err != nil {
		return "", err
	}
	var report struct {
		Accounts []struct {
			Streams []struct {
				Name    string
				Cluster struct{ Leader string }
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return "", err
	}
	for _, account := range report.Accounts {
		for _, stream := range account.Streams {
			if stream.Name == "KV_"+bucket {
				return stream.Cluster.Leader, nil
			}
		}
	}
	return "", nil
}

// Connected asks which clients are connected to the node, by their names.
func (n *Node) Connected(ctx context.Context) (names []string, err error) {
	_, body, err := n.ask(ctx, "/connz")
	if err != nil {
		return nil, err
	}
	var report struct {
		Connections []struct{ Name string }
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return nil, err
	}
	for _, c := range report.Connections {
		names = append(names, c.Name)
	}
	return names, nil
}

// monitoring keeps no connection, which would be in the way of a stop.
var monitoring = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (n *Node) ask(ctx context.Context, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Monitor+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	resp, err := monitoring.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body, err
}
