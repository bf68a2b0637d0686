package settings

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
)

// ErrInvalid is wrapped by every error that a person has to put right in the
// environment: a value that does not parse, a missing one, or one that
// Validate refuses. Programs answer it with exit code 2.
var ErrInvalid = errors.New("invalid settings")

// Options for [Parse] and [Table]. The zero value is the usual.
type Options struct {
	// Environ is the environment; nil means that of the process.
	Environ map[string]string

	// Defaults replaces the envDefault of the named variables, for a program
	// that embeds a part whose usual default does not suit it. An empty
	// string removes the default.
	Defaults map[string]string
}

// validator is what Parse calls on dst and on every group in it.
type validator interface{ Validate() error }

// Parse fills dst, a pointer to a struct, from the environment. An empty
// variable is the same as an unset one. Fields without an env tag keep their
// values, and so do fields with neither a variable nor a default.
//
// If dst, or a group in it, has a method Validate() error, Parse calls it
// once all variables have been read well, groups before what contains them.
//
// The error, which wraps [ErrInvalid], has one line for each thing that is
// wrong, with the variable's name; values of secrets and contents of files are
// not in it.
func Parse(dst any, opts Options) error {
	fields, groups, err := walk(dst)
	if err != nil {
		return err
	}
	if err := checkDefaults(fields, opts.Defaults); err != nil {
		return err
	}
	environ := opts.Environ
	if environ == nil {
		environ = env.ToMap(os.Environ())
	}
	var problems []string
	for _, f := range fields {
		if err := f.parse(environ, opts.Defaults); err != nil {
			problems = append(problems, f.explain(err, environ[f.name]))
		}
	}
	if len(problems) > 0 {
		return invalid(problems)
	}
	return validate(groups)
}

// parse sets one field.
func (f field) parse(environ, defaults map[string]string) error {
	lone := f.lone()
	lone.Elem().Field(0).Set(f.value)
	if replaced, ok := defaults[f.name]; ok && environ[f.name] == "" {
		if replaced == "" {
			f.value.SetZero()
			return nil
		}
		// A copy with one entry more; references to other variables
		// (option expand) still find theirs.
		environ = maps.Clone(environ)
		environ[f.name] = replaced
	}
	err := env.ParseWithOptions(lone.Interface(), env.Options{Prefix: f.prefix, Environment: environ})
	if err != nil {
		return err
	}
	parsed := lone.Elem().Field(0)
	if f.fromFile() && parsed.Kind() == reflect.String {
		// Editors and secret stores end files with a line break.
		parsed.SetString(strings.TrimRight(parsed.String(), "\r\n"))
	}
	f.value.Set(parsed)
	return nil
}

// explain turns the parser's error into a line for the operator.
func (f field) explain(err error, value string) string {
	var (
		notSet env.VarIsNotSetError
		empty  env.EmptyVarError
		file   env.LoadFileContentError
		parse  env.ParseError
	)
	switch {
	case errors.As(err, &notSet), errors.As(err, &empty):
		return f.name + " is required"
	case errors.As(err, &file):
		return fmt.Sprintf("%s: %v", f.name, file.Err)
	case !errors.As(err, &parse):
		return fmt.Sprintf("%s: %v", f.name, err)
	case f.secret(), f.fromFile(), value == "": // empty: a default did not parse
		return fmt.Sprintf("%s is not a valid %s", f.name, f.spec.Type)
	default:
		return fmt.Sprintf("%s=%q: %s", f.name, value, reason(parse.Err, f.spec.Type))
	}
}

// reason says what is wrong with a value, without quoting it a second time
// where that can be told.
func reason(err error, t reflect.Type) string {
	if num, ok := errors.AsType[*strconv.NumError](err); ok {
		return fmt.Sprintf("%v for type %s", num.Err, t)
	}
	if value, ok := errors.AsType[env.ParseValueError](err); ok {
		return value.Err.Error()
	}
	return err.Error()
}

// checkDefaults refuses replacements for variables that do not exist, which
// are slips of the program.
func checkDefaults(fields []field, defaults map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			return fmt.Errorf("settings: a default for %s, which is no setting", name)
		}
	}
	return nil
}

func validate(groups []reflect.Value) error {
	var problems []string
	for _, g := range groups {
		v, ok := validatorOf(g)
		if !ok {
			continue
		}
		// An embedded group's method is also its container's: said once.
		if err := v.Validate(); err != nil && !slices.Contains(problems, err.Error()) {
			problems = append(problems, err.Error())
		}
	}
	if len(problems) > 0 {
		return invalid(problems)
	}
	return nil
}

func validatorOf(g reflect.Value) (validator, bool) {
	if !g.CanInterface() {
		return nil, false
	}
	if g.CanAddr() {
		if v, ok := reflect.TypeAssert[validator](g.Addr()); ok {
			return v, true
		}
	}
	v, ok := reflect.TypeAssert[validator](g)
	return v, ok
}

// invalid joins problems to one error, a line each.
func invalid(problems []string) error {
	if len(problems) == 1 && !strings.Contains(problems[0], "\n") {
		return fmt.Errorf("%w: %s", ErrInvalid, problems[0])
	}
	text := strings.Join(problems, "\n")
	return fmt.Errorf("%w:\n  %s", ErrInvalid, strings.ReplaceAll(text, "\n", "\n  "))
}
