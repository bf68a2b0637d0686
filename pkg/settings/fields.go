package settings

import (
	"fmt"
	"reflect"

	"github.com/caarlos0/env/v11"
)

// field is one setting of a struct.
type field struct {
	name   string // the whole variable name
	prefix string // what the groups around it put in front
	value  reflect.Value
	spec   reflect.StructField
}

func (f field) secret() bool { return f.spec.Tag.Get("secret") == "true" }

// fromFile says whether the variable names a file that holds the value.
func (f field) fromFile() bool {
	params, err := f.params()
	return err == nil && params.LoadFile
}

// walk returns the settings of dst, a pointer to a struct, in the order of
// declaration, and the groups that contain them, innermost first and dst
// last.
func walk(dst any) (fields []field, groups []reflect.Value, err error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, nil, fmt.Errorf("settings: %T is not a pointer to a struct", dst)
	}
	w := walker{}
	if err := w.group(v.Elem(), ""); err != nil {
		return nil, nil, err
	}
	return w.fields, w.groups, nil
}

type walker struct {
	fields []field
	groups []reflect.Value
}

func (w *walker) group(v reflect.Value, prefix string) error {
	for i := range v.NumField() {
		spec := v.Type().Field(i)
		if !spec.IsExported() && !spec.Anonymous {
			continue
		}
		if err := w.field(v.Field(i), spec, prefix); err != nil {
			return err
		}
	}
	w.groups = append(w.groups, v)
	return nil
}

func (w *walker) field(v reflect.Value, spec reflect.StructField, prefix string) error {
	tag, tagged := spec.Tag.Lookup("env")
	switch {
	case tag == "-":
		return nil
	case !tagged && spec.Type.Kind() == reflect.Struct:
		return w.group(v, prefix+spec.Tag.Get("envPrefix"))
	case !tagged:
		return nil
	case !v.CanSet():
		return fmt.Errorf("settings: field %s has an env tag but cannot be set", spec.Name)
	}
	f := field{prefix: prefix, value: v, spec: spec}
	params, err := f.params()
	if err != nil {
		return fmt.Errorf("settings: field %s: %w", spec.Name, err)
	}
	f.name = params.Key
	w.fields = append(w.fields, f)
	return nil
}

// lone returns a pointer to a new struct with only this field, so that what
// the parser says of it can only be about this field.
func (f field) lone() reflect.Value {
	spec := f.spec
	spec.Anonymous = false
	spec.Offset, spec.Index = 0, nil
	return reflect.New(reflect.StructOf([]reflect.StructField{spec}))
}

// params reads the field's tags.
func (f field) params() (env.FieldParams, error) {
	list, err := env.GetFieldParamsWithOptions(f.lone().Interface(), env.Options{
		Prefix:      f.prefix,
		Environment: map[string]string{},
	})
	if err != nil {
		return env.FieldParams{}, err
	}
	if len(list) != 1 {
		return env.FieldParams{}, fmt.Errorf("the env tag %q names no variable", f.spec.Tag.Get("env"))
	}
	return list[0], nil
}
