// Command faulttime measures how long clients feel each fault; see package faulttime.
//
//	faulttime                      all rows, 20 times each: about 25 minutes
//	faulttime -only rooms-kill     these rows only
//	faulttime -only rebuild -runs 3  the large one, which is not among all: 100,000 members
//	faulttime -save                keeps the figures, and writes the table to deploy/FAULTS.md
//	faulttime -page                measures nothing, and writes the table of the kept figures
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"signalling/services/e2e/faulttime"
	"signalling/services/e2e/figures"
	"signalling/services/e2e/lab"
)

type options struct {
	runs       int
	only       string
	save, page bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.IntVar(&o.runs, "runs", 20, "how often each fault is made")
	flag.StringVar(&o.only, "only", "", "comma-separated `ids` of rows: "+strings.Join(ids(true), ","))
	flag.BoolVar(&o.save, "save", false, "keep the figures, and write the table to the page")
	flag.BoolVar(&o.page, "page", false, "measure nothing, write the table to the page")
	flag.Parse()
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faulttime:", err)
		os.Exit(1)
	}
}

// ids are those of all rows, or of those that are no large ones.
func ids(large bool) (all []string) {
	for i := range faulttime.Rows {
		if large || !faulttime.Rows[i].Large {
			all = append(all, faulttime.Rows[i].ID)
		}
	}
	return all
}

func run(ctx context.Context, o options) error {
	root, err := lab.Repository()
	if err != nil {
		return err
	}
	path, page := filepath.Join(root, "services", "e2e", "faulttime", "figures.json"), filepath.Join(root, "deploy", "FAULTS.md")
	if o.page {
		return keep(path, page, nil)
	}
	chosen := ids(false)
	if o.only != "" {
		chosen = strings.Split(o.only, ",")
	}
	for _, id := range chosen {
		if !slices.Contains(ids(true), id) {
			return fmt.Errorf("there are only these rows: %s", strings.Join(ids(true), ","))
		}
	}
	now := faulttime.NewFigures()
	for _, id := range chosen {
		row := faulttime.NewFigures()
		if err := measure(ctx, id, o.runs, row); err != nil {
			return err
		}
		now.Merge(row)
		if !o.save {
			continue
		}
		if err := keep(path, page, row); err != nil {
			return err
		}
	}
	fmt.Println(now.Markdown())
	return nil
}

// keep puts new figures into the file at path, and the table of all of them into the page.
func keep(path, page string, now *faulttime.Figures) error {
	kept, err := faulttime.ReadFigures(path)
	if err != nil {
		return err
	}
	if now != nil {
		kept.Merge(now)
		if err := figures.Write(path, kept); err != nil {
			return err
		}
	}
	return faulttime.Page.Update(page, kept.Markdown())
}

func measure(ctx context.Context, id string, runs int, f *faulttime.Figures) error {
	row, _ := faulttime.Find(id)
	return row.Run(ctx, runs, func(values ...faulttime.Value) {
		f.Add(row, values...)
		fmt.Fprintln(os.Stderr, id, values)
	})
}
