package contract

import (
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 6: room names are any valid UTF-8 of 1 to 256 bytes: dots, spaces, *, >, $, line breaks, emoji included. They are
// compared byte for byte.
var names = []string{
	"*", ">", "$", ".", "..", "a", "A", "a.b", "a.*", "a.>", "a..b", "*.b", ">.>", "$SYS.>", "$SRV.PING", "_INBOX.>",
	" ", "a b", "a ", " a", "\t", "\n", "\r\n", "a\nb", "\x00", "a\x00", "a\x00b", "\x1b[31m", "\x7f",
	"\"", "\\", "\\n", "{\"room\":1}", "</script>", "null", "sig.ev.a", "sig.cmd.0", "../../etc/passwd", "%00", "%2e",
	"\u00e9", "e\u0301", // the same to the eye
	"\u200b", "\ufeff", "\u202e", "\u2028", "\ufffd", "𝔘", "🤝",
	strings.Repeat("🤝", 64), strings.Repeat("🤝", 63) + "👋", // 256 bytes
	strings.Repeat("x", 256), strings.Repeat("x", 255), strings.Repeat(".", 256), strings.Repeat("\n", 256),
}

func TestRule6_AnyNameIsARoomOfItsOwn(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		// Each room has one member of its own, which would see what leaks into it. All are owners, at both gateways.
		owners := make([]*conn, len(names))
		for i, name := range names {
			owners[i] = s.Connect()
			ask(t, owners[i], create(name), created(name))
		}
		a, b := s.ConnectAt(0), s.ConnectAt(1)
		for i, name := range names {
			ask(t, a, join(name), joined(name, owners[i], owners[i]))
			owners[i].Expect(clientJoined(name, a))
			ask(t, b, join(name), joined(name, owners[i], owners[i], a))
			owners[i].Expect(clientJoined(name, b))
			a.Expect(clientJoined(name, b))
		}
		for i, name := range names {
			a.Emit(signal(name, b.ID, i))
			b.Expect(received(name, a, i))
			owners[i].Emit(signal(name, a.ID, i))
			a.Expect(received(name, owners[i], i))
		}
		for i, name := range names {
			if i%2 == 0 {
				ask(t, a, leave(name), left(name))
				owners[i].Expect(clientLeft(name, a))
				b.Expect(clientLeft(name, a))
			}
			ask(t, owners[i], leave(name), left(name))
			b.Expect(kicked(name))
			if i%2 != 0 {
				a.Expect(kicked(name))
			}
		}
		for _, o := range owners {
			o.ExpectNothing()
		}
		a.ExpectNothing()
		b.ExpectNothing()
	})
}

func TestRule6_NamesAreComparedAfterUnescaping(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		a, b := s.Connect(), s.Connect()
		const room = "caf\u00e9/🤝"
		ask(t, a, create(room), created(room))
		b.Send(`{"event":"room-join","room":"\u0063af\u00E9\/\ud83e\udd1d"}`)
		b.Expect(joined(room, a, a))
		a.Expect(clientJoined(room, b))
	})
}

func TestRule6_LongerNamesAreRefused(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		a := s.Connect()
		for _, name := range []string{
			"", strings.Repeat("x", 257), strings.Repeat("🤝", 64) + "x", strings.Repeat("\n", 257), strings.Repeat("x", 100_000),
		} {
			for _, command := range []J{create(name), join(name), leave(name), signal(name, a.ID, 1)} {
				ask(t, a, command, refused("bad-request"))
			}
		}
	})
}
