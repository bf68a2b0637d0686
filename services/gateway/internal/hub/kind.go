package hub

import "bytes"

// signalKind is what a signal is, as far as metrics are interested.
type signalKind int

const (
	noKind signalKind = iota
	offer
	answer
	candidate
)

// maxKindScan bounds how much of a signal is looked at. Descriptions with many media sections are a few dozen KiB.
const maxKindScan = 64 << 10

// kindOf tells what a signal is from its data, which is opaque otherwise. Browsers write RTCSessionDescriptionInit as
// {"type":"offer","sdp":…} and RTCIceCandidateInit as {"candidate":…,"sdpMid":…} (W3C WebRTC sections 4.2.5 and 4.8.1); either
// may be the value of a member of the object, as in {"description":{…}}. Nothing else is read, nothing is allocated. What is
// no such object, and whatever hides behind more than 64 KiB, has no kind.
func kindOf(data []byte) signalKind {
	if len(data) > maxKindScan {
		data = data[:maxKindScan]
	}
	s := kindScanner{data}
	return s.object(true)
}

// kindScanner reads valid JSON, or the beginning of it: at its end everything is over.
type kindScanner struct{ rest []byte }

// object looks at the members of an object; outer also into those that are objects themselves.
func (s *kindScanner) object(outer bool) signalKind {
	if s.next() != '{' {
		return noKind
	}
	s.rest = s.rest[1:]
	for s.next() == '"' {
		name := s.text()
		if s.next() != ':' {
			return noKind
		}
		s.rest = s.rest[1:]
		first := s.next()
		switch {
		case first == '"' && string(name) == "type":
			if kind := kindNamed(s.text()); kind != noKind {
				return kind
			}
		case string(name) == "candidate" && (first == '{' || first == '"'):
			if first == '{' || len(s.text()) > 0 { // an empty one is the end of candidates
				return candidate
			}
		case first == '{' && outer:
			if kind := s.object(false); kind != noKind {
				return kind
			}
		default:
			s.skip()
		}
		if s.next() != ',' {
			break
		}
		s.rest = s.rest[1:]
		s.next()
	}
	if s.next() == '}' {
		s.rest = s.rest[1:]
	}
	return noKind
}

func kindNamed(text []byte) signalKind {
	switch string(text) {
	case "offer":
		return offer
	case "answer":
		return answer
	case "candidate":
		return candidate
	}
	return noKind
}

// next returns the first byte that is no white space, without taking it; 0 at the end.
func (s *kindScanner) next() byte {
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		default:
			return s.rest[0]
		}
	}
	return 0
}

// text takes a string and returns what is between its quotes, as it stands.
func (s *kindScanner) text() []byte {
	for at := 1; ; {
		i := bytes.IndexByte(s.rest[at:], '"')
		if i < 0 {
			s.rest = nil
			return nil
		}
		at += i
		escapes := 0
		for s.rest[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			text := s.rest[1:at]
			s.rest = s.rest[at+1:]
			return text
		}
		at++
	}
}

// skip takes a value that is of no interest.
func (s *kindScanner) skip() {
	for depth := 0; ; {
		switch s.next() {
		case 0:
			return
		case '"':
			s.text()
		case '{', '[':
			depth++
			s.rest = s.rest[1:]
		case '}', ']':
			if depth == 0 {
				return // the end of the object around a number or the like
			}
			depth--
			s.rest = s.rest[1:]
		case ',':
			if depth == 0 {
				return
			}
			s.rest = s.rest[1:]
		default:
			s.rest = s.rest[1:]
			continue // a number, true, false, null, or a colon
		}
		if depth == 0 {
			return
		}
	}
}
