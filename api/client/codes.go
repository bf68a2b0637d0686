package client

// Code says to a program what an error means. The list is closed.
type Code string

const (
	// BadRequest: the message was not understood, or an argument is missing, empty, too long or of the wrong type.
	// Nothing has changed. Sending the same again will fail again.
	BadRequest Code = "bad-request"
	// Unauthorized: the connection has no valid credential. Get one, then connect again.
	Unauthorized Code = "unauthorized"
	// Forbidden: the credential does not allow this command.
	Forbidden Code = "forbidden"
	// RateLimited: too many messages or too much of something at once. Wait, then send it again.
	RateLimited Code = "rate-limited"
	// TooLarge: the message is larger than something on its way allows.
	TooLarge Code = "too-large"
	// RoomFull: the room has as many members as it may have.
	RoomFull Code = "room-full"
	// Unavailable: the answer did not come in time. Nothing is known to have changed; the command may be sent again.
	Unavailable Code = "unavailable"
	// Internal: a defect of the server.
	Internal Code = "internal"
)

// Codes lists every Code.
var Codes = []Code{BadRequest, Unauthorized, Forbidden, RateLimited, TooLarge, RoomFull, Unavailable, Internal}

// CloseCode is a WebSocket close code (RFC 6455 section 7.4) that the server starts a close with. Codes from 4000 on are
// ours. The list is closed.
type CloseCode int

const (
	// CloseNormal answers a client's own close.
	CloseNormal CloseCode = 1000
	// CloseGoingAway: this gateway is stopping.
	CloseGoingAway CloseCode = 1001
	// CloseProtocolError: a frame broke RFC 6455.
	CloseProtocolError CloseCode = 1002
	// CloseInvalidText: a text message was not UTF-8.
	CloseInvalidText CloseCode = 1007
	// CloseTooBig: a message was longer than the limit announced in the welcome.
	CloseTooBig CloseCode = 1009
	// CloseInternal: a defect of the server.
	CloseInternal CloseCode = 1011
	// CloseSlowConsumer: the client did not read what was sent to it and its queue is full.
	CloseSlowConsumer CloseCode = 4000
	// CloseHeartbeat: the client answered no ping for the heartbeat's time.
	CloseHeartbeat CloseCode = 4001
	// CloseUnauthorized: the token is missing or not valid. Only browsers meet it: they cannot read the HTTP status 401 that
	// others get.
	CloseUnauthorized CloseCode = 4002
	// CloseTokenExpired: the token's time has ended during the connection. Come back with another one.
	CloseTokenExpired CloseCode = 4003
	// CloseRateLimited: the client went on sending too much after it was told so.
	CloseRateLimited CloseCode = 4004
	// CloseIdle: the client sent no command for the time that it may be idle.
	CloseIdle CloseCode = 4005
	// CloseResumed: another connection has taken this one's session over.
	CloseResumed CloseCode = 4010
)

// Close describes one close code.
type Close struct {
	Code CloseCode
	// Reason is the text sent with the code; it is for people.
	Reason string
	// Reconnect says whether a client should connect again, after a pause with jitter.
	Reconnect bool
}

// Closes lists every CloseCode that the server starts a close with.
var Closes = []Close{
	{CloseNormal, "", false},
	{CloseGoingAway, "going away", true},
	{CloseProtocolError, "protocol error", false},
	{CloseInvalidText, "invalid UTF-8", false},
	{CloseTooBig, "message too big", false},
	{CloseInternal, "internal error", true},
	{CloseSlowConsumer, "slow consumer", true},
	{CloseHeartbeat, "heartbeat timeout", true},
	{CloseUnauthorized, "unauthorized", false},
	{CloseTokenExpired, "token expired", true},
	{CloseRateLimited, "rate limited", true},
	{CloseIdle, "idle", false},
	{CloseResumed, "session resumed elsewhere", false},
}

// Reason returns the text that goes with the code.
func (c CloseCode) Reason() string {
	for i := range Closes {
		if Closes[i].Code == c {
			return Closes[i].Reason
		}
	}
	return ""
}

// Reconnect says whether a client that was closed with the code should connect again. Codes that are not in Closes,
// 1006 (no close frame) among them, mean that the network failed: it should.
func (c CloseCode) Reconnect() bool {
	for i := range Closes {
		if Closes[i].Code == c {
			return Closes[i].Reconnect
		}
	}
	return true
}
