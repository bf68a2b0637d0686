package bus

import "encoding/binary"

// Each message below has Append, which appends its encoding to dst, and Decode, which reads it. Decoded strings are the
// message's own; byte slices alias the input. Decode reports text that is not the message; unknown fields are ignored.

func (m *Command) fields(c *codec) {
	c.required("op", (*string)(&m.Op))
	c.required("gw", &m.Gateway)
	c.uint("seq", &m.Seq)
	if m.Op == Find {
		c.strs("clients", &m.Clients)
		return
	}
	c.required("room", &m.Room)
	c.required("client", &m.Client)
	c.uint("have", &m.Have)
	c.uint("life", &m.Life)
	c.flag("lost", &m.Lost)
	c.str("target", &m.Target)
	c.str("pw", &m.Password)
	c.str("key", &m.OwnerKey)
	nested(c, "set", &m.Settings)
	c.uint("inc", &m.Inc)
	c.uint("proven", &m.Proven)
	c.str("display", &m.Display)
	if m.Op == Move {
		c.required("from", &m.From)
		c.flag("dead", &m.Dead)
	}
}

func (m *Answer) fields(c *codec) {
	c.required("result", (*string)(&m.Result))
	m.Roster.fields(c)
	c.str("code", &m.Code)
	c.str("message", &m.Message)
	list(c, "found", &m.Found, appendMessage[*Found], decodeMessage[*Found])
	c.strs("again", &m.Again)
}

func (m *Found) fields(c *codec) {
	c.required("client", &m.Client)
	c.required("room", &m.Room)
	c.str("gw", &m.Gateway)
	c.uint("inc", &m.Inc)
	c.uint("proven", &m.Proven)
	c.str("display", &m.Display)
}

func (r *Roster) fields(c *codec) {
	c.stamp("epoch", "ver", &r.Stamp)
	c.stamp("bornEpoch", "bornVer", &r.Born)
	c.str("owner", &r.Owner)
	c.roster("members", &r.Members)
	nested(c, "policy", &r.Policy)
}

func (m *Event) fields(c *codec) {
	c.required("kind", (*string)(&m.Kind))
	c.required("room", &m.Room)
	c.stamp("epoch", "ver", &m.Stamp)
	c.str("client", &m.Client)
	c.str("gw", &m.Gateway)
	c.uint("seq", &m.Seq)
	c.str("owner", &m.Owner)
	nested(c, "policy", &m.Policy)
	c.str("display", &m.Display)
	if m.Kind == Moved {
		c.uint("inc", &m.Inc)
		c.flag("dead", &m.Dead)
	}
}

func (m *Heartbeat) fields(c *codec) {
	c.required("gw", &m.Gateway)
	c.uint("protocol", &m.Protocol)
	c.flag("leaving", &m.Leaving)
	c.uint("window", &m.Window)
}

func (m *Announce) fields(c *codec) {
	c.required("gw", &m.Gateway)
	c.uint("seq", &m.Seq)
	c.uint("asOf", &m.AsOf)
	c.flag("full", &m.Full)
	c.uint("part", &m.Part)
	c.flag("last", &m.Last)
	c.uint("epoch", &m.Epoch)
	list(c, "rooms", &m.Rooms, appendMessage[*AnnouncedRoom], decodeMessage[*AnnouncedRoom])
}

func (m *AnnouncedRoom) fields(c *codec) {
	c.required("room", &m.Room)
	c.stamp("epoch", "ver", &m.Stamp)
	c.stamp("bornEpoch", "bornVer", &m.Born)
	c.str("owner", &m.Owner)
	c.uint("digest", &m.Digest)
	c.roster("members", &m.Members)
	c.strs("unsettled", &m.Unsettled)
	c.strs("displays", &m.Displays)
	nested(c, "policy", &m.Policy)
}

func (m *Correction) fields(c *codec) {
	c.flag("retry", &m.Retry)
	c.uint("part", &m.Part)
	c.flag("last", &m.Last)
	c.uint("epoch", &m.Epoch)
	list(c, "rooms", &m.Rooms, appendMessage[*CorrectedRoom], decodeMessage[*CorrectedRoom])
}

func (m *CorrectedRoom) fields(c *codec) {
	c.required("room", &m.Room)
	c.flag("gone", &m.Gone)
	c.flag("same", &m.Same)
	m.Roster.fields(c)
}

func (m *Resync) fields(c *codec) {
	c.partition(&m.Partition)
	c.uint("epoch", &m.Epoch)
}

func (m *Digest) fields(c *codec) {
	c.partition(&m.Partition)
	c.uint("epoch", &m.Epoch)
	list(c, "rooms", &m.Rooms, appendMessage[*RoomVersion], decodeMessage[*RoomVersion])
}

func (m *RoomVersion) fields(c *codec) {
	c.required("room", &m.Room)
	c.uint("ver", &m.Version)
	c.flag("closed", &m.Closed)
}

func (m *Ack) fields(c *codec) {
	c.required("from", &m.From)
	c.uint("upTo", &m.UpTo)
	c.flag("gap", &m.Gap)
	list(c, "refused", &m.Refused, appendMessage[*Refusal], decodeMessage[*Refusal])
}

func (m *Refusal) fields(c *codec) {
	c.uint("seq", &m.Seq)
	c.flag("senderGone", &m.SenderGone)
}

func (m *Signal) fields(c *codec) {
	c.required("from", &m.From)
	c.uint("seq", &m.Seq)
	c.uint("base", &m.Base)
	c.stamp("epoch", "ver", &m.Stamp)
	c.text("room", &m.Room)
	c.text("sender", &m.Sender)
	c.text("target", &m.Target)
}

// Append appends the encoding of m to dst.
func (m *Command) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads a Command.
func (m *Command) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Answer) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads an Answer.
func (m *Answer) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Found) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Append appends the encoding of m to dst.
func (m *Event) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads an Event.
func (m *Event) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Heartbeat) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads a Heartbeat.
func (m *Heartbeat) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Announce) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads an Announce.
func (m *Announce) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Correction) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads a Correction.
func (m *Correction) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Resync) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads a Resync.
func (m *Resync) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Digest) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads a Digest.
func (m *Digest) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst.
func (m *Ack) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads an Ack.
func (m *Ack) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst: the length of the header in two bytes (big endian), the header, the data.
func (m *Signal) Append(dst []byte) []byte {
	at := len(dst)
	dst = appendMessage(append(dst, 0, 0), m)
	binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at-2)) // #nosec G115 -- names and ids are bounded, MaxSignalHeaderBytes
	return append(dst, m.Data...)
}

// Decode reads a Signal. Its byte slices alias message.
func (m *Signal) Decode(message []byte) error {
	if len(message) < 2 {
		return errHeader
	}
	n := int(binary.BigEndian.Uint16(message))
	if len(message) < 2+n {
		return errHeader
	}
	m.Data = message[2+n:]
	return decodeMessage(message[2:2+n], m)
}
