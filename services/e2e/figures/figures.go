// Package figures keeps what was measured: as numbers in JSON files, which later runs compare with, and as tables in pages.
package figures

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Read reads a file of figures into a pointer. One that is not there leaves it as it is.
func Read(path string, into any) error {
	data, err := os.ReadFile(path) //nolint:gosec // G304: the caller's file
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Write writes figures to a file.
func Write(path string, what any) error {
	data, err := json.MarshalIndent(what, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // G306: for everybody to read
}

// Median is the middle of the values, 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Machine says on what this runs.
func Machine() string {
	model := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
		_ = f.Close()
	}
	return fmt.Sprintf("%d cores, %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}

// Place is where a page has its tables: between the comments <!-- Name: made by By --> and <!-- /Name -->.
type Place struct{ Name, By string }

// Splice returns the page with the tables in their place.
func (p Place) Splice(page, tables string) (string, error) {
	begin, end := "<!-- "+p.Name+": made by "+p.By+" -->\n", "<!-- /"+p.Name+" -->"
	head, rest, ok := strings.Cut(page, begin)
	_, tail, found := strings.Cut(rest, end)
	if !ok || !found {
		return "", fmt.Errorf("the page has no place for the tables: %s…%s", begin, end)
	}
	return head + begin + tables + end + tail, nil
}

// Update puts the tables into the page at path.
func (p Place) Update(path, tables string) error {
	page, err := os.ReadFile(path) //nolint:gosec // G304: the caller's file
	if err != nil {
		return err
	}
	text, err := p.Splice(string(page), tables)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // G306: for everybody to read
}
