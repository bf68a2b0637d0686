package contract

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkFrame compares a frame that was read before it was known what it must be.
func checkFrame(t *testing.T, got, want J) {
	t.Helper()
	text, err := json.Marshal(want)
	var plain J
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Fatalf("frame (-want +got):\n%s", diff)
	}
}
