package admin

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// maxLevelBytes bounds the body of a request that sets the level.
const maxLevelBytes = 64

// serveLogLevel adds GET and PUT /log/level, if the handler of the log has a level that can be changed: a method
//
//	LogLevel() *slog.LevelVar
//
// as those of package service have.
func (s *Server) serveLogLevel() {
	h, ok := s.log.Handler().(interface{ LogLevel() *slog.LevelVar })
	if !ok {
		return
	}
	level := h.LogLevel()
	s.mux.HandleFunc("GET /log/level", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, level.Level())
	})
	s.mux.HandleFunc("PUT /log/level", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBytes))
		var to slog.Level
		if err == nil {
			err = to.UnmarshalText(bytes.TrimSpace(body))
		}
		if err != nil {
			http.Error(w, "want debug, info, warn or error", http.StatusBadRequest)
			return
		}
		from := level.Level()
		level.Set(to)
		s.log.Log(r.Context(), max(from, to, slog.LevelInfo), "log level changed", "from", from, "to", to)
		fmt.Fprintln(w, to)
	})
}
