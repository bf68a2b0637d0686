package bus

// ProtocolVersion is the version of the messages between the services. Every Heartbeat carries it.
const ProtocolVersion = 1

// Stamp places an event in the history of a room. Epoch counts the owners that the room's partition has had; of two
// messages with different epochs the higher one is right. Version counts the events of the room: each has the version of
// the one before it plus one. Versions of a name never repeat: a room that is created again after its end starts above
// the version of its last event, and not directly above, so that the difference shows.
type Stamp struct {
	Epoch   uint64
	Version uint64
}

// Less says whether s is older than o.
func (s Stamp) Less(o Stamp) bool {
	return s.Epoch < o.Epoch || (s.Epoch == o.Epoch && s.Version < o.Version)
}

// Member is a client in a room, and the gateway that holds its connection.
type Member struct {
	Client, Gateway string
	// Since is the version of the event that made it a member. It keeps the join order across owners.
	Since uint64
	// Seq is the number of the command that made it a member, in its gateway's count.
	Seq uint64
	// Inc is the incarnation of the client's session, which grows each time that it is resumed: of two gateways that hold the
	// client the one with the higher Inc is right. 0 if it never was.
	Inc uint64
	// Proven is the oldest incarnation whose token is still good: the newest that the client is known to have heard of.
	Proven uint64
	// Display is the client's display identity, "" if it has none. It is the same for as long as the client lives.
	Display string
}

// Roster is a room as its owner sees it at Stamp.
type Roster struct {
	Stamp
	// Born is the stamp of the room's creation. A room that was closed and created again has another Born.
	Born Stamp
	// Owner is the client that created the room, or that the room was given to since. It is a member, unless the room waits
	// for it.
	Owner string
	// Members are in join order.
	Members []Member
	// Policy is nil for a plain room.
	Policy *Policy
}

// Digest is a number that differs, but for chance, when two rosters differ in owner, members, their order, or policy.
func (r *Roster) Digest() uint64 {
	h := fnv(fnvOffset, r.Owner)
	for i := range r.Members {
		h = fnv(fnv(h, r.Members[i].Client), r.Members[i].Gateway)
	}
	if r.Policy != nil {
		h = fnvUint(fnvUint(h, r.Policy.Since.Epoch), r.Policy.Since.Version)
	}
	return h
}

const fnvOffset = 14695981039346656037

// fnv continues an FNV-1a hash (64 bit) over s and an end mark.
func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

// fnvUint continues the hash over a number.
func fnvUint(h, n uint64) uint64 {
	for range 8 {
		h = (h ^ n&0xff) * 1099511628211
		n >>= 8
	}
	return h
}

// Op is what a Command asks for.
type Op string

// The operations of a Command.
const (
	Create Op = "create"
	Join   Op = "join"
	Leave  Op = "leave"
	// Kick and Update are the room's owner's.
	Kick   Op = "kick"
	Update Op = "update"
	// Move: the client is at Gateway now, because its session was resumed there. It remains a member all the while.
	Move Op = "move"
	// Find asks in which rooms of the partition Clients are. Room and Client are not set.
	Find Op = "find"
)

// Command is a request of a gateway to the owner of the room's partition, on CommandSubject, answered by an Answer on
// AnswerSubject(Gateway, Seq). It may arrive more than once, also when the answer has been taken and the room has changed
// since: the owner recognises creates and joins by (Gateway, Seq) and carries out none twice.
type Command struct {
	Op      Op
	Gateway string
	// Seq numbers the gateway's requests. A repetition has the same number. Each partition has a count of its own, from 1,
	// which owners expect without large gaps: a number is that count times Partitions, plus the partition's number.
	Seq          uint64
	Room, Client string
	// Have is the epoch at which the gateway follows the room already, 0 if it does not, and Life the version of the room's
	// Born as the gateway knows it. The owner then leaves the members out of its answer if both are the same; a Life of 0 is
	// not compared.
	Have, Life uint64
	// Lost, of a Leave: the client did not ask for it, its connection has ended.
	Lost bool
	// Target is the client that a Kick removes.
	Target string
	// Password and OwnerKey are what a Join gives, as a Proof.
	Password, OwnerKey string
	// Settings are those of a Create, nil for a plain room, and of an Update.
	Settings *Settings
	// Inc and Proven, of a Create, Join or Move, are those of the client from now on. A Move with a Proven that is older than
	// the member's is not carried out.
	Inc, Proven uint64
	// From, of a Move, is the gateway that the client was at. Dead says that it is taken to be gone: it did not answer when it
	// was asked to hand the session over.
	From string
	Dead bool
	// Clients are those of Find.
	Clients []string
	// Display is the client's display identity, for Create and Join.
	Display string
}

// Result is how an owner answers a Command.
type Result string

// The results of a Command.
const (
	// Done: created, joined or left.
	Done Result = "done"
	// Partial answers a find: the clients of Again have more memberships than the message takes, and are to be asked for
	// again. If they are all that were asked for, no message takes those of any of them.
	Partial Result = "partial"
	// Exists answers a create: the name is taken.
	Exists Result = "exists"
	// NotExists answers a join: there is no such room.
	NotExists Result = "not-exists"
	// NotIn answers a leave: the client is not in the room. For a repetition this means that the first one has worked.
	NotIn Result = "not-in"
	// NoTarget answers a kick: the target is not in the room.
	NoTarget Result = "no-target"
	// Retry: nothing has been done, because the owner is still learning its rooms or is no longer the owner. The gateway
	// sends the command again after a moment.
	Retry Result = "retry"
	// Elsewhere answers a move: another gateway has a newer incarnation of the client's session, or one that no token of this
	// one's is good for any more.
	Elsewhere Result = "elsewhere"
	// Refused: nothing has been done; Code and Message are for the client.
	Refused Result = "refused"
)

// Answer answers a Command. Roster is filled for a create or join that is Done; its Members, and with them its Policy, are
// nil if Have allowed it. For a leave or kick that is Done, Stamp is that of its event. An update has Stamp and Policy.
type Answer struct {
	Result Result
	Roster
	Code, Message string
	// Found answers a Find: all memberships of the clients that are not in Again, at most MaxPartBytes. Clients with few come
	// first, so that one with very many keeps no other from being found.
	Found []Found
	Again []string
}

// Found is one membership of a client.
type Found struct {
	Client, Room string
	// Gateway is where the client is. Inc, Proven and Display are as in Member.
	Gateway     string
	Inc, Proven uint64
	Display     string
}

// Kind is what an Event tells.
type Kind string

// The kinds of an Event.
const (
	// Joined: Client, at Gateway, is a new member.
	Joined Kind = "joined"
	// Left: Client is no longer a member.
	Left Kind = "left"
	// Closed: the room has ended, because Client has left: its owner, or its last member. An empty Client means that an
	// operator has closed it.
	Closed Kind = "closed"
	// Updated: the room's Policy is another one.
	Updated Kind = "updated"
	// Owned: Owner is the room's owner now.
	Owned Kind = "owned"
	// Moved: Client is a member as before, and at Gateway from now on. Clients are not told.
	Moved Kind = "moved"
)

// Event is what the owner publishes on EventSubject of a room's token when the room has changed, before it answers the
// command that changed it.
type Event struct {
	Room string
	Stamp
	Kind            Kind
	Client, Gateway string
	// Seq is the number of the command that made Client a member, for Joined.
	Seq uint64
	// Owner is the room's owner from now on, "" if it has not changed. It comes with Owned, with a Joined that claims the
	// room, and with the Left of an owner whose room goes to another member.
	Owner string
	// Policy is the room's from now on, nil if it has not changed. It comes with Updated, and with the Left of a client that
	// was kicked.
	Policy *Policy
	// Inc and Dead are as in the Command, for Moved.
	Inc  uint64
	Dead bool
	// Display is the client's display identity, for Joined.
	Display string
}

// Heartbeat is published by every gateway each HeartbeatInterval. Its members stay in their rooms as long as it comes.
type Heartbeat struct {
	Gateway  string
	Protocol uint64
	// Leaving is the last one: the gateway stops, and all its members are gone.
	Leaving bool
	// Window is for how many milliseconds the gateway's members are kept once it is gone, because their sessions may be
	// resumed elsewhere. 0 means that they are removed at once.
	Window uint64
}

// Announce tells the owner of a partition, on AnnounceSubject, which members a gateway holds there. It is the one way to
// repair a difference: after a takeover, a reconnect to NATS, a lost message, and from time to time. It is answered by a
// Correction on AnswerSubject(Gateway, Seq), as soon as the owner knows its rooms.
type Announce struct {
	Gateway string
	Seq     uint64
	// AsOf is the number of the gateway's last command that the announcement takes into account. Members that came in by
	// a later one are none of its business.
	AsOf uint64
	// Full says that Rooms, of all parts together, is everything: members of the gateway that are not in it are gone.
	// Otherwise only the rooms named are compared.
	Full bool
	// Part numbers the parts of an announcement that does not fit one message, from 0; Last marks the last. They share Seq.
	Part uint64
	Last bool
	// Epoch is the highest epoch of the partition that the gateway has met. An owner with a lower one is no longer it.
	Epoch uint64
	Rooms []AnnouncedRoom
}

// AnnouncedRoom is one room in an Announce.
type AnnouncedRoom struct {
	Room string
	// Stamp, Born and Owner are the gateway's view of the room; zero if it has none.
	Stamp
	Born  Stamp
	Owner string
	// Digest is that of the gateway's view of the roster.
	Digest uint64
	// Members are the clients of this gateway in the room. Gateway is left out on the wire.
	Members []Member
	// Unsettled are clients with a command on its way. Nothing is concluded from their absence in Members.
	Unsettled []string
	// Displays are the display identities of Unsettled, in the same order, "" for those that are in Members, which have theirs
	// there; those beyond its end have none.
	Displays []string
	// Policy is the gateway's view of the room's.
	Policy *Policy
}

// Correction answers an Announce with all that the gateway must know to see the announced rooms as they are.
type Correction struct {
	// Retry: the owner cannot say now; announce again after a moment.
	Retry bool
	// Part and Last are as in Announce.
	Part  uint64
	Last  bool
	Epoch uint64
	Rooms []CorrectedRoom
}

// CorrectedRoom is one announced room in a Correction. Exactly one of three holds: the room is Gone; it is as the gateway
// sees it (Same, with its present Stamp); or its Roster has all members.
type CorrectedRoom struct {
	Room string
	Gone bool
	Same bool
	Roster
}

// Resync asks gateways to announce all their members in a partition, because it has a new owner or the owner has doubts.
// To one gateway it may name every partition (Partition -1).
type Resync struct {
	Partition int
	Epoch     uint64
}

// Digest is published by the owner of a partition on DigestSubject each DigestInterval if something has changed since:
// it lets a gateway see that it missed a room's last event.
type Digest struct {
	Partition int
	Epoch     uint64
	Rooms     []RoomVersion
}

// RoomVersion is the version of a room after its last event.
type RoomVersion struct {
	Room    string
	Version uint64
	// Closed: that event was the room's end.
	Closed bool
}

// Signal brings a client's signal from its gateway to the target's, on SignalSubject. Signals from one gateway to another
// are numbered, acknowledged in bulk by Ack, and repeated until they are, so that each arrives once and in order whatever
// happens to the connection between them.
type Signal struct {
	// From is the sending gateway.
	From string
	// Seq numbers the signals from From to this gateway, from 1.
	Seq uint64
	// Base is the lowest number that From may still repeat. Lower ones that did not arrive never will.
	Base uint64
	// Stamp is the sender's gateway's view of the room. The receiver waits until its own view is as new, so that a signal
	// never overtakes the news of its sender.
	Stamp
	Room, Sender, Target []byte
	// Data is the client's JSON text, untouched.
	Data []byte
}

// Ack acknowledges signals to the gateway that sent them, on AckSubject.
type Ack struct {
	// From is the gateway that received the signals.
	From string
	// UpTo: all signals up to this number have been received and need not be repeated.
	UpTo uint64
	// Gap: signals after UpTo are missing; repeat them now.
	Gap bool
	// Refused are those among the received signals that could not be delivered.
	Refused []Refusal
}

// Refusal tells that a signal was not delivered.
type Refusal struct {
	Seq uint64
	// SenderGone: the sender is not in the room any more. Otherwise it is the target that is not.
	SenderGone bool
}

// Take asks a gateway, on TakeSubject, to hand a client's session over to another one, where the client is now. It is
// answered by Taken on TakenSubject(Gateway, Seq). A repetition, with the same Seq, is answered as the first one, or by
// TakeWait.
type Take struct {
	// Gateway is the one that asks.
	Gateway string
	Seq     uint64
	Client  string
	// Inc is the incarnation that the client's token names.
	Inc uint64
	// Received is the number of the last frame that the client has.
	Received uint64
	// Door is the door of the client. A session is resumed through the door through which it came.
	Door string
	// Display is the display identity of who comes back: that of the session, or it is somebody else's.
	Display string
	// Began is when the client asked for its session, in ms since 1970. What it asked for later goes before. 0: not known.
	Began uint64
}

// Refusals of a Take.
const (
	// TakeUnknown: there is no such session any more.
	TakeUnknown = "unknown"
	// TakeUsed: the token is not good any more, because the client has got a newer one.
	TakeUsed = "used"
	// TakeMoved: the session was handed over to another gateway, To, before.
	TakeMoved = "moved"
	// TakeWait: the answer will come.
	TakeWait = "wait"
	// TakeUnsure: the gateway was away from NATS, and its session is in no room: the client may be in rooms elsewhere by now,
	// which their owners know.
	TakeUnsure = "unsure"
	// TakeBusy: the session cannot be handed over now.
	TakeBusy = "busy"
	// TakeWrong: the token was not made for this door or this display identity, or what the client says of what it has cannot
	// be.
	TakeWrong = "wrong"
)

// Taken hands a session over. The one who asks then moves the client in each room.
type Taken struct {
	Seq uint64
	// Refused, if set, says why nothing is handed over. To belongs to TakeMoved.
	Refused, To string
	// Inc is the session's newest incarnation so far.
	Inc uint64
	// Commands is how many commands of the client were received.
	Commands uint64
	// Sent is the number of the newest frame, Missed says that frames that the client does not have were dropped.
	Sent   uint64
	Missed bool
	// Display is the session's display identity.
	Display string
	Rooms   []TakenRoom
	// Frames are what the client does not have, the last one with the number Sent. They are not part of the JSON.
	Frames []Frame
}

// TakenRoom is a room of a session that is handed over.
type TakenRoom struct {
	Room string
	// From is the gateway that the room's owner has the client at, as far as is known; "" for the one that hands it over. A
	// session can be handed on before all owners have heard of its last move. Dead is as in the Command.
	From string
	Dead bool
	// Known says that the rest is what the client was told.
	Known   bool
	Born    Stamp
	Clients []string
	Owner   string
	// Policy is nil for a plain room.
	Policy *Policy
}

// Frame is one event as a door has encoded it: its text, and the attachments of a binary Socket.IO event.
type Frame [][]byte
