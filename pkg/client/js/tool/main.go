// Command tool bundles the sources of the browser SDK into dist/: client.mjs for `import`, and client.js, a classic
// script with the global Signalling. It runs in its own folder, by go generate.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	version, err := version("../package.json")
	if err == nil {
		err = bundle(version)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func version(file string) (string, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the package's own
	if err != nil {
		return "", err
	}
	var pkg struct{ Version string }
	return pkg.Version, json.Unmarshal(text, &pkg)
}

func bundle(version string) error {
	for name, format := range map[string]api.Format{"client.mjs": api.FormatESModule, "client.js": api.FormatIIFE} {
		options := api.BuildOptions{
			EntryPoints:       []string{"../src/index.ts"},
			Outfile:           "../dist/" + name,
			Write:             true,
			Bundle:            true,
			Format:            format,
			Target:            api.ES2022,
			Platform:          api.PlatformBrowser,
			Charset:           api.CharsetUTF8,
			MinifyWhitespace:  true,
			MinifyIdentifiers: true,
			MinifySyntax:      true,
			TreeShaking:       api.TreeShakingTrue,
			Banner:            map[string]string{"js": "/*! signalling client " + version + " | Apache-2.0 */"},
			LogLevel:          api.LogLevelWarning,
		}
		if format == api.FormatIIFE {
			options.GlobalName = "Signalling"
		}
		if result := api.Build(options); len(result.Errors) > 0 {
			return fmt.Errorf("%s: %d errors", name, len(result.Errors))
		}
	}
	return nil
}
