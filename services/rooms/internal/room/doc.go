// Package room is the state of one partition of the rooms, and every change to it.
//
// It is pure: it does no I/O, reads no clock, starts no goroutine and makes no random choice, so that the same calls
// always have the same results. Its caller decodes messages, calls, publishes the events that come back in their order
// and then sends the answer. Nothing in it may be called by two goroutines at once.
package room
