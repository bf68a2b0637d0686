package bench

import (
	"os"
	"path/filepath"

	"signalling/services/e2e/figures"
)

// Kept is all that is kept in a folder: numbers as JSON, and the page and the pictures that show them.
type Kept struct {
	// Figures are those of the works, Growth those of the curves, Guided those of profile-guided optimisation.
	Figures, Growth, Guided *Figures
	Profiles                *Profiles
	// Allocations are those of the hot paths, by their names.
	Allocations map[string]Allocations

	folder string
}

// ReadKept reads what is kept in a folder. What is not there is empty.
func ReadKept(folder string) (*Kept, error) {
	k := &Kept{
		Figures: NewFigures(), Growth: NewFigures(), Guided: NewFigures(), Profiles: &Profiles{Works: map[string]map[Target][]Entry{}},
		Allocations: map[string]Allocations{}, folder: folder,
	}
	for name, into := range k.files() {
		if err := figures.Read(filepath.Join(folder, name), into); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *Kept) files() map[string]any {
	return map[string]any{
		"figures.json": k.Figures, "growth.json": k.Growth, "guided.json": k.Guided, "profiles.json": k.Profiles, "allocations.json": &k.Allocations,
	}
}

// page is the file that shows it all.
const page = "README.md"

// Write writes the numbers, and the page and the pictures that are made of them.
func (k *Kept) Write() error {
	for name, what := range k.files() {
		if err := figures.Write(filepath.Join(k.folder, name), what); err != nil {
			return err
		}
	}
	shown, err := k.Shown()
	if err != nil {
		return err
	}
	for name, data := range shown {
		if err := os.WriteFile(filepath.Join(k.folder, name), data, 0o644); err != nil { //nolint:gosec // G306: for everybody to read
			return err
		}
	}
	return nil
}

// Shown returns what is made of the numbers, by the names of the files: the page, whose own text is kept, and the pictures.
func (k *Kept) Shown() (map[string][]byte, error) {
	text, err := os.ReadFile(filepath.Join(k.folder, page))
	if err != nil {
		return nil, err
	}
	spliced := string(text)
	for _, part := range []struct {
		place figures.Place
		table string
	}{
		{Page, k.Figures.Markdown()},
		{GrowthPage, k.Growth.Growth()},
		{ProfilePage, k.Profiles.Markdown()},
		{GuidedPage, k.Guided.Guided()},
		{AllocationsPage, allocationsTable(k.Allocations)},
	} {
		if spliced, err = part.place.Splice(spliced, part.table); err != nil {
			return nil, err
		}
	}
	shown := map[string][]byte{page: []byte(spliced)}
	for i := range Curves {
		c := &Curves[i]
		if !c.measured(k.Growth) {
			continue
		}
		if shown[c.Picture()], err = c.Draw(k.Growth); err != nil {
			return nil, err
		}
	}
	return shown, nil
}
