package natscluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Configurations are what a node is started with, as their files in deploy/nats are named.
const (
	Single  = "single.conf"
	Cluster = "cluster.conf"
)

// Deployed is the folder deploy/nats of the repository in which the working directory is.
func Deployed() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return filepath.Join(dir, "deploy", "nats"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.work in the working directory or above it: run this inside the repository")
		}
		dir = parent
	}
}

// Install puts the configuration files into a folder, as they would be on a node, with its keys in keys/.
func Install(dir, keys string) error {
	from, err := Deployed()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, file := range []string{Single, Cluster, "common.conf", "account.conf"} {
		content, err := os.ReadFile(filepath.Join(from, file)) //nolint:gosec // G304: of the repository
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil { //nolint:gosec // G703: the caller's own folder
			return err
		}
	}
	return os.CopyFS(filepath.Join(dir, "keys"), os.DirFS(keys))
}

// Environment returns the variables of a file like deploy/nats/node.env.
func Environment(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			env[name] = value
		}
	}
	return env
}
