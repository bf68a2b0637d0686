package socketio

import (
	"net/url"
	"testing"
)

// FuzzParameter compares with net/url.
func FuzzParameter(f *testing.F) {
	for _, query := range []string{
		"EIO=4&transport=websocket", "EIO=4&EIO=3", "EIO", "EIO=", "EIO=%", "EIO=%&EIO=3", "%45IO=4", "EIO=4;&EIO=3", "EIO=a+b%26",
		"", "&", "&&EIO=4", "=EIO", "EIO=4=5", "eio=4", "xEIO=4", "%EIO=4", "EIO;=4",
	} {
		f.Add(query, "EIO")
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		if name == "" {
			return // the parameters that are read have names
		}
		all, _ := url.ParseQuery(query) // what it could read of it
		value, found := parameter(query, name)
		if value != all.Get(name) || found != all.Has(name) {
			t.Errorf("%q in %q: %q %v, want %q %v", name, query, value, found, all.Get(name), all.Has(name))
		}
	})
}
