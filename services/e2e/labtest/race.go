//go:build race

package labtest

// race says whether the test runs under the race detector; the programs then do too.
const race = true
