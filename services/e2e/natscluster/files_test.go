package natscluster_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalling/services/e2e/natscluster"
	"signalling/services/e2e/natskeys"
)

// comment is what a configuration's line has behind the last thing that counts.
var comment = regexp.MustCompile(`(?m)(^|\s)#.*$`)

// TestEnvironment holds the variables in the configurations and in the sample of an environment against each other.
func TestEnvironment(t *testing.T) {
	dir, err := natscluster.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(files) < 4 {
		t.Fatalf("files: %q, %v", files, err)
	}
	for _, file := range files {
		text := comment.ReplaceAllString(read(t, file), "")
		for _, m := range regexp.MustCompile(`:\s*\$(\w+)`).FindAllStringSubmatch(text, -1) {
			if !strings.HasSuffix(m[1], "_NKEY") { // of keys/users.conf
				used[m[1]] = true
			}
		}
	}
	sample := natscluster.Environment(read(t, filepath.Join(dir, "node.env")))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(sample))); diff != "" {
		t.Errorf("used, but not in node.env (-), or the other way round (+):\n%s", diff)
	}
}

// TestNoSecrets looks for keys in the folder that is committed.
func TestNoSecrets(t *testing.T) {
	dir, err := natscluster.Deployed()
	if err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`PRIVATE KEY|\bSU[A-Z2-7]{56}\b|nats-route://[^@\s"]+:[^@\s"]+@`)
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "keys" {
			return filepath.SkipDir // git does not see it
		}
		if err == nil && !d.IsDir() && secret.MatchString(read(t, path)) {
			t.Errorf("%s has a secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, filepath.Join(dir, ".gitignore")), "/keys/") {
		t.Error("git would take the keys")
	}
	// What is looked for looks like that.
	keys := filepath.Join(foreign(t), "n1")
	if text := read(t, filepath.Join(keys, natskeys.KeyFile)) + read(t, filepath.Join(keys, "..", natskeys.Rooms, natskeys.SeedFile)); len(secret.FindAllString(text, -1)) < 2 {
		t.Error("the search would not find a key")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
