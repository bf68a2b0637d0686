// Package hub is what lies behind the gateway's doors: sessions, the router that takes their commands, the replicas of the
// rooms in which this gateway has members, and the bus to the rooms service and to the other gateways.
//
// The way of a command: a door calls Session.Handle (router.go), which sends a request to the owner of the room's
// partition (request.go). The owner's event and answer arrive at the dispatcher (bus.go), which applies them to the room's
// replica (event.go, replica.go) and hands the events to the doors (outbox.go). Signals go from member to member of a
// replica (signal.go), over a numbered link if the target is at another gateway (link.go). What was missed is repaired by
// announcing what we have and taking the owner's correction (announce.go).
//
// Everything about a room is guarded by its partition's mutex, which is never held during a system call: what is to be
// written or published is collected in an outbox and leaves after the mutex is released. Only a room's subscription is made
// under it, because no request about the room may precede it: NATS's client puts it into its buffer, and waits if that is
// full. All that the bus brings passes through one goroutine, so a room's events and the answers about it are seen in the
// order in which the owner sent them.
package hub
