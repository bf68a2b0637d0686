// Package socketio is the server side of Socket.IO: Engine.IO protocol 4 and 3 (EIO=4, EIO=3) and, above them, Socket.IO
// protocol 5 and 4, on net/http and the sibling package wsock. Unmodified socket.io-client 4.x and 3.x speak the first
// pair, 2.x the second; the request's EIO parameter decides.
//
// The package knows the wire and nothing else: it carries events, acknowledgements and binary attachments between clients
// and one Handler. It has a single namespace ("/"), no rooms, no broadcast and no JSON decoding.
//
// # The way of a message in
//
//	ServeHTTP (http.go, cors.go)
//	→ websocket.go or polling.go        one Engine.IO packet, from a frame or out of payload_v4.go / payload_v3.go
//	→ receive.go                        Engine.IO packet types, heartbeats, upgrade
//	→ message.go                        Socket.IO framing: type, attachment count, namespace, acknowledgement id
//	→ connect.go or binary.go           namespace "/" joined and left; attachments collected
//	→ Handler.Event
//
// # What is checked, and by whom
//
// The package checks framing: packet types, counts, lengths, digits, namespace, UTF-8, that an event's payload begins as a
// JSON array whose first element is a string that is not reserved, and ends with a bracket. It does not parse the JSON of
// ordinary events, since the handler must decode it anyway: Handler.Event has to check the array, and returns an error
// when it is malformed, which ends the session just as a framing error does. Binary events are rare and are parsed here,
// because a placeholder that names no attachment makes the client that receives it drop its connection.
//
// # Sessions and their ids
//
// The Engine.IO session id ("sid") is a credential: whoever knows it can poll in the session's name. It is never logged
// and never handed to the handler under protocol 4, where Session.ID is a second, public id. Protocol 3 has no second id:
// its clients take the sid for their socket.id, so there Session.ID is the sid. A session that runs on a WebSocket
// answers no HTTP request, which is what makes the sid harmless there; a protocol 3 client that stays on polling can be
// impersonated by those who learn its id, as with every server of that protocol.
//
// # Limits
//
// Every queue is bounded (Config.QueueFrames, Config.QueueBytes), every message has a size limit (Config.ReadLimit, binary
// events with all their attachments), every wait has a deadline (the fields of Config), and every goroutine and timer ends
// with its session. An idle WebSocket session costs one goroutine, an idle polling session that of its waiting GET.
package socketio
