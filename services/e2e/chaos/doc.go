// Package chaos is a laboratory for faults: it runs nats-server, several rooms and several gateways as real processes, each
// connected through proxies, lets a storm of clients loose on them, and meanwhile kills, stops and pauses processes and cuts
// and stalls connections at random, but from a seed.
//
// A round is one storm with its faults. When all faults are undone, its clients must agree with each other and with the
// server, each partition must have one owner, and what each client saw, and what came of each command, must have been
// possible: see packages check and linear. That the checks can fail is shown with services that are built to do without what
// keeps the truth: see package chaosbreak. deploy/FAULTS.md tells what all that proves, and what not.
package chaos
