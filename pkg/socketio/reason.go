package socketio

// Reason says why a session ended. The texts are those that the JavaScript server gives its "disconnect" event, where it
// has one for the case, so that dashboards of both read alike.
type Reason uint8

// The reasons, in the closed list that Handler.Disconnect can get.
const (
	reasonNone Reason = iota
	// ReasonClientDisconnect: the client left the namespace (packet 41), as socket.disconnect() does.
	ReasonClientDisconnect
	// ReasonTransportClose: the client closed its transport: a WebSocket close frame, or packet 1.
	ReasonTransportClose
	// ReasonTransportError: the network ended the transport, a write did not finish in time, or a polling client broke
	// the rule of one GET and one POST at a time.
	ReasonTransportError
	// ReasonPingTimeout: nothing was heard within the heartbeat's time.
	ReasonPingTimeout
	// ReasonParseError: the client sent something malformed, or Handler.Event said so.
	ReasonParseError
	// ReasonTooLarge: a message over Config.ReadLimit (WebSocket close code 1009, HTTP 413).
	ReasonTooLarge
	// ReasonQueueFull: not even a heartbeat found room in the outgoing queue.
	ReasonQueueFull
	// ReasonServerClose: Session.Close or Session.Abort.
	ReasonServerClose
	// ReasonShutdown: Server.Shutdown.
	ReasonShutdown
)

var reasonTexts = [...]string{
	reasonNone:             "",
	ReasonClientDisconnect: "client namespace disconnect",
	ReasonTransportClose:   "transport close",
	ReasonTransportError:   "transport error",
	ReasonPingTimeout:      "ping timeout",
	ReasonParseError:       "parse error",
	ReasonTooLarge:         "message too large",
	ReasonQueueFull:        "send queue full",
	ReasonServerClose:      "forced server close",
	ReasonShutdown:         "server shutting down",
}

// String returns the reason's text, "" for values outside the list.
func (r Reason) String() string {
	if int(r) >= len(reasonTexts) {
		return ""
	}
	return reasonTexts[r]
}

// WebSocket close codes of the package's own closes (RFC 6455 section 7.4.1). A Socket.IO client shows its application
// "transport close" for every one of them and reconnects.
const (
	closeNormal    = 1000 // answer to packet 1, and the end of a session that the client has left
	closeGoingAway = 1001 // Server.Shutdown
	closeProtocol  = 1002 // malformed packet, or a second WebSocket for one session
	closeAbnormal  = 1006 // never sent: the connection ended without a close frame
	closeBadText   = 1007 // text that is not UTF-8, by wsock
	closePolicy    = 1008 // no heartbeat, no CONNECT in time, or a queue without room for a heartbeat
	closeTooLarge  = 1009 // a binary event whose parts together are over the limit
)

// closeCode is the WebSocket close code with which the package ends a session for this reason.
func (r Reason) closeCode() int {
	switch r {
	case ReasonParseError, ReasonTransportError:
		return closeProtocol
	case ReasonPingTimeout, ReasonQueueFull:
		return closePolicy
	case ReasonTooLarge:
		return closeTooLarge
	case ReasonShutdown:
		return closeGoingAway
	default:
		return closeNormal
	}
}
