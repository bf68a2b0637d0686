package client

// Protocol is the version of the native door's protocol. It is not the program's version: it changes only when a client
// written for the older one would no longer work.
const Protocol = 1

// Subprotocol is accepted where a native client offers it in Sec-WebSocket-Protocol (RFC 6455 section 1.9).
const Subprotocol = "signalling.v1"

// BearerPrefix begins the entry of Sec-WebSocket-Protocol that brings a token, which browsers cannot put anywhere else but
// into the URL. It is never the subprotocol that is agreed on.
const BearerPrefix = "bearer."

const (
	// MaxRoomBytes bounds a room's name, in bytes of UTF-8.
	MaxRoomBytes = 256
	// MaxClientIDBytes bounds a client id.
	MaxClientIDBytes = 40
	// MaxCommandIDBytes bounds the "id" of a command on the native door, as JSON text with its quotes.
	MaxCommandIDBytes = 128
	// MaxTokenBytes bounds a token, wherever it is given.
	MaxTokenBytes = 8 << 10
	// MaxPasswordBytes bounds the password and the owner's key of a room, in bytes of UTF-8.
	MaxPasswordBytes = 128
	// MaxDisplayBytes bounds a display identity, in bytes of UTF-8.
	MaxDisplayBytes = 128
	// MaxMetadataBytes bounds the metadata of a room, as JSON text.
	MaxMetadataBytes = 4 << 10
	// DefaultMaxMessageBytes is the largest message from a client unless the gateway is set otherwise. It is announced in
	// the welcome. A longer one ends its connection with CloseTooBig.
	DefaultMaxMessageBytes = 256 << 10
)
