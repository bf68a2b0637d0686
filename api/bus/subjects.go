package bus

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// Partitions is how many partitions the rooms are hashed into. Each has exactly one owner. The number is part of the
// contract: all services of a system must agree on it.
const Partitions = 64

// Partition returns the partition of a room: FNV-1a (32 bit) of its name, modulo Partitions.
func Partition[T string | []byte](room T) int {
	h := uint32(2166136261)
	for i := range len(room) {
		h = (h ^ uint32(room[i])) * 16777619
	}
	return int(h % Partitions)
}

// Token stands for a room's name in a subject: base64url of the first 16 bytes of its SHA-256, 22 characters. Names
// themselves never appear in a subject: a room named ">" would subscribe to everything. Should two names ever share a
// token they share a subject and nothing else, because every message carries the full name.
func Token(room string) string {
	sum := sha256.Sum256([]byte(room))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// NewID returns an id for one run of a gateway or rooms process, unguessable and fit for a subject. A process that is
// started again is another one.
func NewID() string { return randomID(9) }

// NewClientID returns an id for a client: 120 random bits, 20 characters, URL-safe.
func NewClientID() string { return randomID(15) }

func randomID(n int) string {
	var b [15]byte
	_, _ = rand.Read(b[:n]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:n])
}

// Subjects with a wildcard, for subscriptions.
const (
	// AllCommands are the commands to every partition.
	AllCommands = "sig.cmd.*"
	// AllAnnounces are the announcements to every partition.
	AllAnnounces = "sig.ann.*"
	// AllControl is what owners tell every gateway: Resync and Digest.
	AllControl = "sig.ctl.>"
)

// Subjects that are the same for everyone.
const (
	// HeartbeatSubject carries each gateway's Heartbeat.
	HeartbeatSubject = "sig.hb.gw"
	// ResyncSubject carries Resync to every gateway.
	ResyncSubject = "sig.ctl.resync"

	commandPrefix  = "sig.cmd."
	announcePrefix = "sig.ann."
	eventPrefix    = "sig.ev."
	digestPrefix   = "sig.ctl.digest."
	gatewayPrefix  = "sig.gw."
	roomsPrefix    = "sig.own."
	statusPrefix   = "sig.adm.rooms."
)

// CommandSubject is where the owner of a partition takes Command messages.
func CommandSubject(partition int) string { return commandSubjects[partition] }

// AnnounceSubject is where the owner of a partition takes Announce messages.
func AnnounceSubject(partition int) string { return announceSubjects[partition] }

// DigestSubject is where the owner of a partition publishes its Digest.
func DigestSubject(partition int) string { return digestSubjects[partition] }

// EventSubject is where a room's Event messages are published.
func EventSubject(token string) string { return eventPrefix + token }

var commandSubjects, announceSubjects, digestSubjects = numbered(commandPrefix), numbered(announcePrefix), numbered(digestPrefix)

func numbered(prefix string) (s [Partitions]string) {
	for p := range s {
		s[p] = prefix + strconv.Itoa(p)
	}
	return s
}

// PartitionOf returns the partition that a command, announce or digest subject names.
func PartitionOf(subject string) (int, bool) {
	p, err := strconv.ParseUint(subject[strings.LastIndexByte(subject, '.')+1:], 10, 8)
	return int(p), err == nil && p < Partitions
}

// The subjects of one gateway.

// GatewaySubjects is everything that is addressed to one gateway.
func GatewaySubjects(gateway string) string { return gatewayPrefix + gateway + ".>" }

// AnswerSubject is the reply subject of a gateway's request number seq. The number is in the subject, and not only in
// the answer, because the server's own "no responders" has no body.
func AnswerSubject(gateway string, seq uint64) string {
	return gatewayPrefix + gateway + ".ans." + strconv.FormatUint(seq, 36)
}

// SignalSubject is where a gateway takes Signal messages from its peers.
func SignalSubject(gateway string) string { return gatewayPrefix + gateway + ".sig" }

// AckSubject is where a gateway takes Ack messages from its peers.
func AckSubject(gateway string) string { return gatewayPrefix + gateway + ".ack" }

// PingSubject is where a gateway answers, with an empty message, that it lives.
func PingSubject(gateway string) string { return gatewayPrefix + gateway + ".ping" }

// ResyncOneSubject carries Resync to one gateway.
func ResyncOneSubject(gateway string) string { return gatewayPrefix + gateway + ".resync" }

// TakeSubject is where a gateway takes Take messages from its peers.
func TakeSubject(gateway string) string { return gatewayPrefix + gateway + ".take" }

// TakenSubject is where the answer to a gateway's Take number seq arrives: a Taken, or the server's "no responders".
func TakenSubject(gateway string, seq uint64) string {
	return gatewayPrefix + gateway + ".taken." + strconv.FormatUint(seq, 36)
}

// GatewaySubject takes a subject apart that is addressed to a gateway: kind is "ans", "sig", "ack", "ping", "resync", "take"
// or "taken", rest what follows it.
func GatewaySubject(subject string) (kind, rest string) {
	s := strings.TrimPrefix(subject, gatewayPrefix)
	_, s, _ = strings.Cut(s, ".")
	kind, rest, _ = strings.Cut(s, ".")
	return kind, rest
}

// AnswerSeq returns the request number that the rest of an answer's subject names.
func AnswerSeq(rest string) (uint64, bool) {
	seq, err := strconv.ParseUint(rest, 36, 64)
	return seq, err == nil
}

// PeersSubject is where rooms instances tell each other that they are there, and who owns which partition.
const PeersSubject = "sig.own.peers"

// PeerPongSubject is the reply subject of a rooms instance's ping to another one, on RoomsPingSubject: the answer arrives
// there, or the server's "no responders" if the other one is gone.
func PeerPongSubject(instance, peer string) string { return roomsPrefix + instance + ".peer." + peer }

// PeerPongSubjects is every PeerPongSubject of a rooms instance, for its subscription.
func PeerPongSubjects(instance string) string { return PeerPongSubject(instance, "*") }

// PongPeer returns the rooms instance that a PeerPongSubject names.
func PongPeer(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// RoomsPingSubject is where a rooms instance answers, with an empty message, that it lives.
func RoomsPingSubject(instance string) string { return roomsPrefix + instance + ".ping" }

// PongSubject is the reply subject of a rooms instance's ping to a gateway: the answer arrives there, or the server's "no
// responders" if the gateway is gone.
func PongSubject(instance, gateway string) string { return roomsPrefix + instance + ".pong." + gateway }

// PongSubjects is every PongSubject of a rooms instance, for its subscription.
func PongSubjects(instance string) string { return PongSubject(instance, "*") }

// PongGateway returns the gateway that a PongSubject names.
func PongGateway(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// RoomsStatusSubject is where a rooms instance answers any request with its state, as JSON for people and tools.
func RoomsStatusSubject(instance string) string { return statusPrefix + instance }

// The subjects of operators: questions and actions of package operate. What only reads and what acts have subjects of their
// own, so that NATS can let somebody do the one and not the other.

// Verb says what an operator's request is.
type Verb string

// The verbs.
const (
	Ask Verb = "ask" // changes nothing
	Do  Verb = "do"
)

// Everyone stands in for an id where all gateways, or all rooms instances, are asked.
const Everyone = "all"

const (
	adminPrefix    = "sig.adm."
	operatorPrefix = "sig.adm.ans."
)

// AdminGateway is where the gateway with the id, or Everyone, takes an operator's request.
func AdminGateway(v Verb, id string) string { return adminPrefix + string(v) + ".gw." + id }

// AdminRooms is where the rooms instance with the id, or Everyone, takes an operator's request.
func AdminRooms(v Verb, id string) string { return adminPrefix + string(v) + ".rooms." + id }

// AdminPartition is where the owner of a partition takes an operator's request.
func AdminPartition(v Verb, partition int) string {
	return adminPrefix + string(v) + ".part." + strconv.Itoa(partition)
}

// AdminVerb returns the verb of an operator's request.
func AdminVerb(subject string) Verb {
	v, _, _ := strings.Cut(strings.TrimPrefix(subject, adminPrefix), ".")
	return Verb(v)
}

// OperatorInbox is the prefix of the subjects on which an operator's tool takes its answers; id is one that NewID has made.
func OperatorInbox(id string) string { return operatorPrefix + id }

// IsOperatorInbox says whether the subject is one on which operators take answers. Nothing else is answered: a reply subject
// is checked by nobody else, and could be any that the service may write to.
func IsOperatorInbox(subject string) bool {
	return strings.HasPrefix(subject, operatorPrefix) && !strings.ContainsAny(subject, "*> \t\r\n")
}

// MessageKind says which kind of message a gateway receives on a subject.
type MessageKind int

// The kinds of messages that a gateway receives.
const (
	OtherMessage   MessageKind = iota
	EventMessage               // an Event
	GatewayMessage             // addressed to one gateway, see GatewaySubject
	ResyncMessage              // a Resync to every gateway
	DigestMessage              // a Digest
)

// KindOf returns the kind of message that a gateway receives on the subject.
func KindOf(subject string) MessageKind {
	switch {
	case strings.HasPrefix(subject, eventPrefix):
		return EventMessage
	case strings.HasPrefix(subject, gatewayPrefix):
		return GatewayMessage
	case subject == ResyncSubject:
		return ResyncMessage
	case strings.HasPrefix(subject, digestPrefix):
		return DigestMessage
	}
	return OtherMessage
}
