// Package browser has no code of its own: its tests run the browser SDK under Node, the demo page in Chromium, and the
// snippets of the quick start, all against the real programs. The scripts are beside the tests; what they saw of the page
// is left as pictures in the folder out.
package browser
