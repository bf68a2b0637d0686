package operate

import (
	"encoding/json"
	"net/url"
	"time"
)

// Process is what every process says of itself.
type Process struct {
	// ID is the gateway's or rooms instance's, another one at each start.
	ID string `json:"id"`
	// Protocol is the version of the bus messages.
	Protocol int `json:"protocol"`
	// NATS is the server that it is connected to, "" if it is not.
	NATS string `json:"nats"`
	Runtime
}

// Runtime is what the process itself is. Gateway and rooms in one process have the same.
type Runtime struct {
	// Version is the build.
	Version string `json:"version"`
	// Host is the name of its machine, pod or container.
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Uptime is in seconds, by the process's own clock.
	Uptime float64 `json:"uptime"`
	// Memory is what its heap holds, in bytes, and Goroutines how many there are.
	Memory     uint64 `json:"memory"`
	Goroutines int    `json:"goroutines"`
}

// Gateway is the state of a gateway.
type Gateway struct {
	Process
	// Listen is the address of its client doors, as it sees it.
	Listen string `json:"listen"`
	// Draining: it sends its clients away, and is about to end.
	Draining bool `json:"draining"`
	// Clients are the sessions, Detached those among them without a connection that may be resumed.
	Clients  int `json:"clients"`
	Detached int `json:"detached"`
	// Rooms are those in which it has members, or commands on their way.
	Rooms int `json:"rooms"`
	// Requests are commands without an answer, Announcements those without a correction.
	Requests      int `json:"requests"`
	Announcements int `json:"announcements"`
	// Held are signals that wait for news of their room, Unacked those on their way to other gateways, KeptBytes what is kept
	// for sessions that may be resumed.
	Held      int   `json:"held"`
	Unacked   int   `json:"unacked"`
	KeptBytes int64 `json:"keptBytes"`
}

// Instance is the state of a rooms instance.
type Instance struct {
	Process
	// Ownership is "static" for a lone instance, or "kv".
	Ownership string `json:"ownership"`
	// Rooms and Members are those of the partitions that it owns.
	Rooms   int `json:"rooms"`
	Members int `json:"members"`
	// Partitions are those that it owns, and Active how many of them it serves.
	Partitions []Partition `json:"partitions"`
	Active     int         `json:"active"`
	// Owners are the owners of all partitions, by number, as this instance knows them; "" if it knows none.
	Owners []string `json:"owners"`
	// Gateways are those that it hears, or waits for.
	Gateways []Heard `json:"gateways"`
	// Peers are the other rooms instances that it knows to live.
	Peers []string `json:"peers"`
	// Commands are those that it has answered, Events those that it has published, Recoveries the partitions that it has
	// learned from the gateways, Evictions the gateways that it has given up; since its start.
	Commands   uint64 `json:"commands"`
	Events     uint64 `json:"events"`
	Recoveries uint64 `json:"recoveries"`
	Evictions  uint64 `json:"evictions"`
}

// Partition is the state of one partition at its owner.
type Partition struct {
	Partition int    `json:"partition"`
	Epoch     uint64 `json:"epoch"`
	// State is "active"; "recovering" while its rooms are learned; "fenced" while its ownership is in doubt.
	State   string `json:"state"`
	Rooms   int    `json:"rooms"`
	Members int    `json:"members"`
}

// The states of a Partition.
const (
	Active     = "active"
	Recovering = "recovering"
	Fenced     = "fenced"
)

// Heard is a gateway as a rooms instance sees it.
type Heard struct {
	ID string `json:"id"`
	// Gone: it was given up, and its members are kept for a while because their clients may come back elsewhere.
	Gone bool `json:"gone"`
	// Silence is how many seconds ago it was last heard, or, once it is Gone, how many seconds its members are kept yet.
	Silence float64 `json:"silence"`
}

// RoomList is a list of rooms.
type RoomList struct {
	// Partition is the one that was asked.
	Partition int       `json:"partition"`
	Rooms     []Summary `json:"rooms"`
	// Total is how many there are that fit, More that they are not all here, by the question's limit or by MaxListBytes.
	Total int  `json:"total"`
	More  bool `json:"more"`
}

// Summary is a room in a list.
type Summary struct {
	Name      string `json:"name"`
	Partition int    `json:"partition"`
	Members   int    `json:"members"`
	// Owner is the client that owns it, Waiting that the room waits for it.
	Owner   string `json:"owner"`
	Waiting bool   `json:"waiting,omitempty"`
	Locked  bool   `json:"locked,omitempty"`
	// Password says that there is one.
	Password bool `json:"password,omitempty"`
	// Capacity is how many members the room may have by its options; 0 if they do not say.
	Capacity uint64 `json:"capacity,omitempty"`
	// Here is how many members are at the gateway that was asked.
	Here int `json:"here,omitempty"`
}

// RoomState is one room.
type RoomState struct {
	Summary
	// Epoch and Version are the room's stamp: Version counts its events.
	Epoch   uint64 `json:"epoch"`
	Version uint64 `json:"version"`
	// OnOwnerLost is what becomes of it without its owner: "close", "grace" or "transfer".
	OnOwnerLost string `json:"onOwnerLost"`
	// OwnerKey says that there is one, with which an owner can come back.
	OwnerKey bool            `json:"ownerKey,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	// Banned are the clients that were kicked last.
	Banned []string `json:"banned,omitempty"`
	// List are members in join order, Next what to ask with for those after them; 0 if there are none.
	List []Member `json:"list"`
	Next uint64   `json:"next,omitempty"`
}

// Member is a client in a room.
type Member struct {
	Client  string `json:"client"`
	Gateway string `json:"gateway"`
	// Display is its display identity, "" if it has none.
	Display string `json:"display,omitempty"`
	// Since is the version of the room at which it came in.
	Since uint64 `json:"since"`
	// Resumed is how often its session was.
	Resumed uint64 `json:"resumed,omitempty"`
}

// Presence is what a process knows of a client: a gateway its Session, the owner of a partition its Memberships there.
type Presence struct {
	Session     *Session     `json:"session,omitempty"`
	Memberships []Membership `json:"memberships,omitempty"`
}

// Session is a client at its gateway.
type Session struct {
	Client  string `json:"client"`
	Gateway string `json:"gateway"`
	// Display is its display identity, "" if it has none.
	Display string `json:"display,omitempty"`
	// Connected is false while the session waits to be resumed.
	Connected bool `json:"connected"`
	// Since is when the session began at this gateway.
	Since time.Time `json:"since"`
	// Rooms are those in which it is, or for which it has commands on their way.
	Rooms []string `json:"rooms"`
	// Sent is how many messages were queued for it here, Waiting and WaitingBytes what it has not taken of them.
	Sent         uint64 `json:"sent"`
	Waiting      int    `json:"waiting"`
	WaitingBytes int    `json:"waitingBytes"`
}

// Membership is a client's place in a room.
type Membership struct {
	Room string `json:"room"`
	// Partition is the room's.
	Partition int `json:"partition"`
	Member
	Owner bool `json:"owner,omitempty"`
}

// Done answers what acts.
type Done struct {
	// Clients is how many members or clients were affected, as far as that is known.
	Clients int `json:"clients"`
	// Closed says that a kick has ended the room, because the client was its owner or its last member.
	Closed bool `json:"closed,omitempty"`
}

// Probe is a part of a test signal's way. Times are in microseconds, by the clock of the gateway that answers.
type Probe struct {
	// Room is the test's, and Client the gateway's client there.
	Room   string `json:"room"`
	Client string `json:"client"`
	// Entered is how long creating or joining the room took: to the owner of its partition and back.
	Entered float64 `json:"entered,omitempty"`
	// Signals are those that were sent.
	Signals []Echo `json:"signals,omitempty"`
	// Left is how long leaving took.
	Left float64 `json:"left,omitempty"`
}

// Echo is one signal that was sent back. Times are in microseconds.
type Echo struct {
	// There is from its sending to its being sent back's arrival, and At how much of that the other gateway's client took.
	RoundTrip float64 `json:"roundTrip"`
	At        float64 `json:"at"`
	// Acknowledged is when the other gateway's word was here that it has arrived; it is sent for many at once, with a delay.
	Acknowledged float64 `json:"acknowledged"`
}

// Live is what the page on an admin address shows, and /live.json has. A process has Gateway, Instance or both.
type Live struct {
	Now      time.Time  `json:"now"`
	Gateway  *Gateway   `json:"gateway,omitempty"`
	Instance *Instance  `json:"instance,omitempty"`
	Rooms    *RoomList  `json:"rooms,omitempty"`
	Room     *RoomState `json:"room,omitempty"`
}

// liveLimit is how many rooms, and members of one, the page shows.
const liveLimit = 100

// LiveQuestion is what the page asks for: the largest rooms whose names begin with "prefix", and the members of "room".
func LiveQuestion(query url.Values) Question {
	return Question{Prefix: query.Get("prefix"), Room: query.Get("room"), Largest: true, Limit: liveLimit}
}
