// Package lab runs the real programs as processes: it builds nats-server, rooms, gateway and standalone, starts each with
// its own environment, finds their addresses in their logs, and kills, stops, pauses and restarts them. `make cluster`
// uses it, and so do all tests of this module.
//
// A Lab leaves nothing behind. Each process is the leader of its own process group, and on Linux the kernel kills it when
// the lab's own process ends in whatever way.
package lab
