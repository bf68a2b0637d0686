// Package client is the contract between clients and the gateway in Go: the commands that a client emits, the events that
// the server sends, their two encodings, the limits, the error codes and the close codes. PROTOCOL.md in the parent folder
// tells the same in prose.
//
// Each message lists its fields once, in the contract's order. From that list come both encodings, objects for the native
// door ({"event":"room-joined","room":…}) and positional arguments for the Socket.IO door (["room-joined",…]), both
// decoders, and the tables that tests hold against the documents.
package client
