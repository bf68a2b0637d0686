package faulttime

import (
	"os"
	"strings"
	"testing"
	"time"
)

// The page says what was measured.
func TestPage(t *testing.T) {
	f, err := ReadFigures("figures.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../deploy/FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Page.Splice(string(page), f.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	if want != string(page) {
		t.Error("the table on the page is not that of figures.json: make fault-times FAULTTIMES=-page")
	}
}

func TestMarkdown(t *testing.T) {
	f := NewFigures()
	row, ok := Find("rooms-kill")
	if !ok {
		t.Fatal("no such row")
	}
	for _, took := range []time.Duration{time.Second, 300 * time.Millisecond, 1234 * time.Millisecond, 500 * time.Millisecond} {
		f.Add(row, Value{command, took}, Value{signal, took / 1000}, Value{"of no row", took})
	}
	table := f.Markdown()
	for _, want := range []string{"| 750 ms | 1.2 s | 4 | **missed**: 1 s |\n", "| 1 ms | 1 ms | 4 | – |\n"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if strings.Contains(table, "NaN") || strings.Contains(table, "of no row") {
		t.Error(table)
	}
}
