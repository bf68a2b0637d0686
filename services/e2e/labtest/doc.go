// Package labtest gives tests running sites of the product and clients that see every frame.
//
// A test package says in its TestMain which sites it has; see Main. ForEachSite runs a test against the one-process build
// and against separate processes that the tests of a package share; Private starts a site that a test may break. A test
// fails if a process has a data race or a panic in its log or ends by itself, and prints what the processes logged
// meanwhile.
package labtest
