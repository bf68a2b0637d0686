// Package chaosbreak takes away, in programs that are built with the tag of the same name and in no others, what keeps the
// truth under faults, so that it can be shown that the checks of the fault laboratory notice. The environment variable
// CHAOS_BREAK says what: its comma-separated words are those of this package in lower case.
//
// Without the tag all are constants, so that the compiler leaves nothing of them. Each stands where one mechanism does its
// work, and nowhere else: Fencing where an owner stops serving and where gateways tell owners apart by epochs, Announce where
// gateways tell what they hold, Replay where a session is held against its token, Retry where a repetition gets its number,
// Latest where connections that ask for a session are told apart. TestTheCheckerNotices of services/e2e/chaos uses them.
package chaosbreak
