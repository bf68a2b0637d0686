package door

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"signalling/api/client"
	"signalling/pkg/socketio"
	"signalling/pkg/wsock"
	"signalling/services/gateway/internal/hub"
)

// life is a connection's, from its beginning to the one line in the log that tells of it at its end.
type life struct {
	began time.Time
	addr  string
}

// begin is called when a client is let in. How it ends is of more interest than that it began, which is told at debug level.
func begin(m *doorMetrics, log *slog.Logger, door string, s *hub.Session, addr string) life {
	m.opened()
	log.LogAttrs(nil, slog.LevelDebug, "client connected", //nolint:staticcheck // there is no context
		slog.String("client", s.ID()), slog.String("door", door), slog.String("addr", addr))
	return life{began: time.Now(), addr: addr}
}

// endAttrs are as many as a door tells of an end.
const endAttrs = 12

// end is called once the session has ended.
func (l *life) end(m *doorMetrics, log *slog.Logger, door string, s *hub.Session, why reason, attrs ...slog.Attr) {
	took := time.Since(l.began)
	m.closed(why, took)
	received, sent := s.Counts()
	all := append(make([]slog.Attr, 0, endAttrs),
		slog.String("client", s.ID()), slog.String("door", door), slog.String("addr", l.addr),
		slog.Duration("duration", took.Round(time.Millisecond)), slog.Uint64("received", received), slog.Uint64("sent", sent),
		slog.String("reason", string(why)),
	)
	log.LogAttrs(nil, slog.LevelInfo, "client disconnected", append(all, attrs...)...) //nolint:staticcheck // there is no context
}

// nativeEnd tells why a WebSocket has ended.
func nativeEnd(err error) (reason, []slog.Attr) {
	closed, ok := errors.AsType[*wsock.CloseError](err)
	switch {
	case !ok:
		return byNetwork, []slog.Attr{slog.Any("error", err)}
	case closed.ByPeer:
		return byClient, []slog.Attr{slog.Int("code", closed.Code)}
	}
	return reasonOf(client.CloseCode(closed.Code)), []slog.Attr{slog.Int("code", closed.Code)}
}

// socketIOEnd tells why a Socket.IO session has ended. code is what the gateway closed it with, 0 if it did not.
func socketIOEnd(r socketio.Reason, code *atomic.Uint32) reason {
	switch r {
	case socketio.ReasonTransportError:
		return byNetwork
	case socketio.ReasonPingTimeout:
		return reasonOf(client.CloseHeartbeat)
	case socketio.ReasonParseError:
		return reasonOf(client.CloseProtocolError)
	case socketio.ReasonTooLarge:
		return reasonOf(client.CloseTooBig)
	case socketio.ReasonQueueFull:
		return reasonOf(client.CloseSlowConsumer)
	case socketio.ReasonShutdown:
		return reasonOf(client.CloseGoingAway)
	case socketio.ReasonServerClose:
		return reasonOf(client.CloseCode(code.Load()))
	}
	return byClient
}
