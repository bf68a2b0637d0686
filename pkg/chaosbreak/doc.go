// Package chaosbreak takes away, in programs that are built with the tag of the same name and in no others, what keeps the
// truth under faults, so that it can be shown that the checks of the fault laboratory notice. The environment variable
// CHAOS_BREAK says what: its comma-separated words are those of this package in lower case.
//
// Without the tag all are constants, so that the compiler leaves nothing of them.
package chaosbreak
