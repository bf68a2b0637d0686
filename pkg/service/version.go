package service

import "runtime/debug"

// version is set by the linker where a build does not know its commit: -ldflags "-X signalling/pkg/service.version=v1.2.3".
var version string

// Version tells what was built: what the linker was told, the module's version
// where there is one, and otherwise the commit, with a + if files were changed
// since.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var revision, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if revision == "" {
		return "devel"
	}
	return revision + changed
}
