package settings

import (
	"fmt"
	"io"
	"strings"
)

// Setting describes one environment variable.
type Setting struct {
	// Name is the variable's name.
	Name string

	// Default is the text that counts if the variable is unset; empty if
	// there is none.
	Default string

	// Description is the field's desc tag: a phrase without a full stop.
	Description string

	// Required settings have no usable default.
	Required bool

	// Secret settings are never to be printed.
	Secret bool
}

// Table describes the settings of dst, a pointer to a struct, in the order of
// declaration. A variable that several fields read is listed once, as first
// declared.
func Table(dst any, opts Options) ([]Setting, error) {
	fields, _, err := walk(dst)
	if err != nil {
		return nil, err
	}
	if err := checkDefaults(fields, opts.Defaults); err != nil {
		return nil, err
	}
	table := make([]Setting, 0, len(fields))
	for _, f := range fields {
		s, err := f.setting(opts.Defaults)
		if err != nil {
			return nil, err
		}
		table = append(table, s)
	}
	return Merge(table), nil
}

func (f field) setting(defaults map[string]string) (Setting, error) {
	params, err := f.params()
	if err != nil {
		return Setting{}, err
	}
	s := Setting{
		Name:        f.name,
		Default:     params.DefaultValue,
		Description: f.spec.Tag.Get("desc"),
		Required:    params.Required || params.NotEmpty && params.DefaultValue == "",
		Secret:      f.secret(),
	}
	if replaced, ok := defaults[f.name]; ok {
		s.Default = replaced
	}
	return s, nil
}

// Merge joins tables, keeping the first of the settings with the same name.
func Merge(tables ...[]Setting) []Setting {
	var merged []Setting
	seen := map[string]bool{}
	for _, table := range tables {
		for _, s := range table {
			if !seen[s.Name] {
				seen[s.Name] = true
				merged = append(merged, s)
			}
		}
	}
	return merged
}

// WriteHelp writes what --help prints: the program's name, its summary and
// its settings.
func WriteHelp(w io.Writer, program, summary string, table []Setting) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nSettings are environment variables:\n\n", program, summary)
	for _, s := range table {
		fmt.Fprintf(&b, "  %s\n        %s%s\n", s.Name, s.Description, s.note())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// note is what follows the description in the help text.
func (s Setting) note() string {
	switch {
	case s.Required:
		return " (required)"
	case s.Default == "":
		return ""
	default:
		return fmt.Sprintf(" (default %s)", s.Default)
	}
}
