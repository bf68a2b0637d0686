// Package service is what the main functions of all our programs share:
// settings, log, signals, --help, --version and exit codes.
//
//	func main() {
//		var cfg gateway.Config
//		service.Main(service.Program{
//			Name:    "gateway",
//			Summary: "the client doors",
//			Config:  &cfg,
//			Run:     func(ctx context.Context, log *slog.Logger) error { return gateway.Run(ctx, cfg, log) },
//		})
//	}
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"signalling/pkg/settings"
)

// The exit codes of [Main].
const (
	ExitOK      = 0 // Run returned nil, or help was asked for
	ExitFailure = 1 // Run returned an error
	ExitConfig  = 2 // a setting or an argument is wrong; trying again is of no use
)

// Program is what [Main] runs.
type Program struct {
	// Name is the program's name: one word.
	Name string

	// Summary says what it does in half a line, for --help.
	Summary string

	// Config points to the struct to fill from the environment before Run;
	// see package settings. Nil means there are no settings but the log's.
	Config any

	// Defaults replaces defaults of Config; see settings.Options.
	Defaults map[string]string

	// Admin returns the address of the program's admin server once Config is
	// filled, for the argument healthcheck. Nil means there is none.
	Admin func() string

	// Run does the work until ctx ends, which it does at the first SIGINT or
	// SIGTERM, and returns when all that it started has ended. Returning
	// because ctx ended is a success; an error that wraps settings.ErrInvalid
	// means ExitConfig.
	Run func(ctx context.Context, log *slog.Logger) error
}

// Main runs p and ends the process with one of the exit codes. The first
// SIGINT or SIGTERM asks Run to end, a second one kills the process. What the
// program logs goes to standard error.
func Main(p Program) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on, signals have their usual effect again.
	context.AfterFunc(ctx, stop)
	paceHeap()
	os.Exit(p.main(ctx, os.Args[1:], nil, os.Stdout, os.Stderr))
}

// main is Main without the process around it; environ is nil for the
// process's own.
func (p Program) main(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		return p.argument(args, environ, stdout, stderr)
	}
	var logCfg LogConfig
	if err := p.parse(&logCfg, environ); err != nil {
		p.complain(stderr, err)
		return ExitConfig
	}
	log := logCfg.New(stderr)
	slog.SetDefault(log)
	log.Info("starting", "program", p.Name, "version", Version())
	switch err := p.Run(ctx, log); {
	case err == nil, ctx.Err() != nil && errors.Is(err, context.Canceled):
		log.Info("ended", "program", p.Name)
		return ExitOK
	case errors.Is(err, settings.ErrInvalid):
		p.complain(stderr, err)
		return ExitConfig
	default:
		log.Error("failed", "program", p.Name, "error", err)
		return ExitFailure
	}
}

// argument answers the command line, which knows questions only: help,
// version, and healthcheck, which asks a process with the same settings. Settings
// come from the environment.
func (p Program) argument(args []string, environ map[string]string, stdout, stderr io.Writer) int {
	var err error
	switch args[0] {
	case "-h", "-help", "--help", "help":
		err = p.help(stdout)
	case "-version", "--version", "version":
		_, err = fmt.Fprintln(stdout, p.Name, Version())
	case "healthcheck":
		return p.healthcheck(args[1:], environ, stderr)
	default:
		p.complain(stderr, fmt.Errorf("unknown argument %q: settings are environment variables, see --help", args[0]))
		return ExitConfig
	}
	if err != nil {
		p.complain(stderr, err)
		return ExitFailure
	}
	return ExitOK
}

func (p Program) help(w io.Writer) error {
	table, err := p.table()
	if err != nil {
		return err
	}
	return settings.WriteHelp(w, p.Name, p.Summary, table)
}

// table lists all settings of the program, the log's last.
func (p Program) table() ([]settings.Setting, error) {
	var own []settings.Setting
	if p.Config != nil {
		var err error
		if own, err = settings.Table(p.Config, settings.Options{Defaults: p.Defaults}); err != nil {
			return nil, err
		}
	}
	logs, err := settings.Table(&LogConfig{}, settings.Options{})
	return settings.Merge(own, logs), err
}

// parse reads all settings and reports the errors of both structs at once.
func (p Program) parse(logCfg *LogConfig, environ map[string]string) error {
	err := settings.Parse(logCfg, settings.Options{Environ: environ})
	if p.Config != nil {
		err = errors.Join(err, settings.Parse(p.Config, settings.Options{Environ: environ, Defaults: p.Defaults}))
	}
	return err
}

// complain tells a person at a terminal, before there is a log or instead of
// it.
func (p Program) complain(stderr io.Writer, err error) {
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", p.Name, err) // nowhere to report to if this fails
}
