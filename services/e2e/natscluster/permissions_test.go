package natscluster_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natskeys"
)

// verb is what a service does with a subject.
type verb string

const (
	publish   verb = "publish"
	subscribe verb = "subscribe"
	// reply is the way around permissions that allow_responses would open: the service sends itself a message whose reply
	// subject is the one that it wants to write to, and then publishes there.
	reply verb = "reply"
)

// permission is one thing that somebody with a service's key tries.
type permission struct {
	key     string
	verb    verb
	subject string
	allowed bool
	// heard is the service that gets what is published, if it is allowed and one does.
	heard string
}

// Ids that nobody has.
const (
	gatewayID  = "gatewaygatew"
	instanceID = "roomsroomsro"
	token      = "AAAAAAAAAAAAAAAAAAAAAA"
)

func may(key string, v verb, heard string, subjects ...string) (all []permission) {
	for _, s := range subjects {
		all = append(all, permission{key: key, verb: v, subject: s, allowed: true, heard: heard})
	}
	return all
}

func mayNot(key string, v verb, subjects ...string) (all []permission) {
	for _, s := range subjects {
		all = append(all, permission{key: key, verb: v, subject: s})
	}
	return all
}

// written are subjects that only one of the services writes, as package bus builds them.
var (
	writtenByGateways = []string{
		bus.CommandSubject(5), bus.AnnounceSubject(5), bus.HeartbeatSubject, bus.PongSubject(instanceID, gatewayID),
	}
	signals = []string{
		bus.SignalSubject(gatewayID), bus.AckSubject(gatewayID), bus.TakeSubject(gatewayID), bus.TakenSubject(gatewayID, 5),
	}
	writtenByRooms = []string{
		bus.EventSubject(token), bus.ResyncSubject, bus.DigestSubject(5), bus.AnswerSubject(gatewayID, 5),
		bus.PingSubject(gatewayID), bus.ResyncOneSubject(gatewayID),
	}
	amongRooms = []string{bus.PeersSubject, bus.RoomsPingSubject(instanceID), bus.PeerPongSubject(instanceID, instanceID)}
)

// Subjects of JetStream that rooms needs.
var (
	ownerships   = []string{"$KV.sig_owners.p.1"}
	jetStreamAPI = []string{
		"$JS.API.INFO", "$JS.API.STREAM.CREATE.KV_sig_owners", "$JS.API.STREAM.INFO.KV_sig_owners",
		"$JS.API.DIRECT.GET.KV_sig_owners.$KV.sig_owners.p.1",
	}
)

// Subjects that neither service has business with.
var (
	destructive = []string{
		"$JS.API.STREAM.UPDATE.KV_sig_owners", "$JS.API.STREAM.DELETE.KV_sig_owners", "$JS.API.STREAM.PURGE.KV_sig_owners",
		"$JS.API.STREAM.MSG.DELETE.KV_sig_owners", "$JS.API.STREAM.SNAPSHOT.KV_sig_owners",
		"$JS.API.STREAM.RESTORE.KV_sig_owners", "$JS.API.STREAM.LEADER.STEPDOWN.KV_sig_owners", "$JS.API.STREAM.CREATE.other",
		"$JS.API.STREAM.NAMES", "$JS.API.SERVER.REMOVE", "$JS.API.CONSUMER.CREATE.KV_sig_owners.watch",
		"$KV.other.p.1", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.SIG.CONNZ", "anything", "sig.other",
	}
	everything = []string{">", "*", "sig.>", "sig.*.>", "$JS.>", "$JS.API.>", "$JS.EVENT.>", "$KV.>", "$SYS.>", "_INBOX.>", "anything"}
	questions  = []string{"$SRV.PING", "$SRV.STATS.rooms", bus.RoomsStatusSubject(instanceID)}
)

// Subjects of operators.
var (
	toGateways = []string{
		bus.AdminGateway(bus.Ask, bus.Everyone), bus.AdminGateway(bus.Ask, gatewayID), bus.AdminGateway(bus.Do, gatewayID),
	}
	toRooms = []string{
		bus.AdminRooms(bus.Ask, bus.Everyone), bus.AdminRooms(bus.Ask, instanceID), bus.AdminPartition(bus.Ask, 5),
		bus.AdminPartition(bus.Do, 5),
	}
	toOperators = bus.OperatorInbox("operatoroper") + ".x.y"
)

// permissions is everything that is tried. What a service publishes and another one hears also shows that this one may
// subscribe to it.
func permissions() (all []permission) {
	const gateway, rooms, admin = natskeys.Gateway, natskeys.Rooms, natskeys.Admin
	for _, rows := range [][]permission{
		may(gateway, publish, rooms, writtenByGateways...),
		may(gateway, publish, gateway, signals...),
		mayNot(gateway, publish, writtenByRooms...),
		mayNot(gateway, publish, amongRooms...),
		mayNot(gateway, publish, ownerships...),
		mayNot(gateway, publish, jetStreamAPI...),
		mayNot(gateway, publish, destructive...),
		mayNot(gateway, publish, questions...),
		mayNot(gateway, publish, "_INBOX.x", "_INBOX_gw.x", "_INBOX_rooms.x", "_INBOX_admin.x", "sig.cmd.5.more", "sig.hb.rooms", "sig.own.more"),
		mayNot(gateway, reply, writtenByRooms...),
		mayNot(gateway, reply, amongRooms...),
		mayNot(gateway, reply, ownerships...),
		mayNot(gateway, reply, "$JS.API.STREAM.DELETE.KV_sig_owners"),
		// One key for all gateways cannot be held to one gateway, or to the rooms in which it has members.
		may(gateway, subscribe, "", "sig.ev.*", "sig.gw.*.>", "sig.ctl.>", bus.GatewaySubjects(gatewayID)),
		mayNot(gateway, subscribe, writtenByGateways...),
		mayNot(gateway, subscribe, amongRooms...),
		mayNot(gateway, subscribe, bus.AllCommands, "sig.cmd.>", bus.AllAnnounces, "sig.hb.>", "sig.own.>"),
		mayNot(gateway, subscribe, ownerships...),
		mayNot(gateway, subscribe, everything...),
		mayNot(gateway, subscribe, questions...),
		mayNot(gateway, subscribe, "_INBOX_rooms.>", "_INBOX_admin.>"),
		may(gateway, publish, admin, toOperators),
		mayNot(gateway, publish, toGateways...),
		mayNot(gateway, publish, toRooms...),
		mayNot(gateway, subscribe, toRooms...),
		mayNot(gateway, subscribe, "sig.adm.>", "sig.adm.ans.>", toOperators, "sig.adm.*.gw.*", bus.OperatorInbox("gw.x")),

		may(rooms, publish, gateway, writtenByRooms...),
		may(rooms, publish, rooms, amongRooms...),
		may(rooms, publish, "", ownerships...),
		may(rooms, publish, "", jetStreamAPI...),
		may(rooms, publish, "", "_INBOX_admin.x"),
		mayNot(rooms, publish, signals...),
		mayNot(rooms, publish, writtenByGateways[:3]...),
		mayNot(rooms, publish, destructive...),
		mayNot(rooms, publish, questions...),
		mayNot(rooms, publish, "_INBOX.x", "_INBOX_gw.x", "_INBOX_rooms.x"),
		mayNot(rooms, reply, signals...),
		mayNot(rooms, reply, "$JS.API.STREAM.DELETE.KV_sig_owners"),
		may(rooms, subscribe, "", bus.ResyncSubject),
		may(rooms, subscribe, "", questions...),
		may(rooms, subscribe, "", "_INBOX_rooms.x.*"),
		mayNot(rooms, subscribe, writtenByRooms[0], writtenByRooms[2], writtenByRooms[3]),
		mayNot(rooms, subscribe, signals...),
		mayNot(rooms, subscribe, ownerships...),
		mayNot(rooms, subscribe, everything...),
		mayNot(rooms, subscribe, "sig.ev.*", "sig.gw.>", "sig.ctl.>", "_INBOX_gw.>", "_INBOX_admin.>"),
		may(rooms, publish, admin, toOperators),
		mayNot(rooms, publish, toGateways...),
		mayNot(rooms, publish, toRooms...),
		mayNot(rooms, subscribe, toGateways...),
		mayNot(rooms, subscribe, "sig.adm.>", "sig.adm.ans.>", toOperators, "sig.adm.*.part.*", bus.OperatorInbox("rooms.x"), bus.OperatorInbox("part.5")),

		may(admin, publish, gateway, toGateways...),
		may(admin, publish, rooms, toRooms...),
		may(admin, publish, rooms, questions...),
		may(admin, publish, "", "$JS.API.STREAM.INFO.KV_sig_owners"),
		mayNot(admin, publish, writtenByGateways...),
		mayNot(admin, publish, writtenByRooms...),
		mayNot(admin, publish, signals...),
		mayNot(admin, publish, amongRooms...),
		mayNot(admin, publish, ownerships...),
		mayNot(admin, publish, "$JS.API.STREAM.CREATE.KV_sig_owners", "$JS.API.DIRECT.GET.KV_sig_owners.$KV.sig_owners.p.1"),
		mayNot(admin, publish, destructive...),
		mayNot(admin, publish, toOperators, "_INBOX.x", "_INBOX_gw.x", "_INBOX_rooms.x", "_INBOX_admin.x"),
		mayNot(admin, reply, writtenByRooms...),
		mayNot(admin, reply, ownerships...),
		may(admin, subscribe, "", bus.EventSubject(token), "sig.ev.*", "sig.ctl.>", bus.HeartbeatSubject, "_INBOX_admin.x", "sig.adm.ans.>"),
		mayNot(admin, subscribe, signals...),
		mayNot(admin, subscribe, writtenByGateways[:2]...),
		mayNot(admin, subscribe, amongRooms...),
		mayNot(admin, subscribe, ownerships...),
		mayNot(admin, subscribe, everything...),
		mayNot(admin, subscribe, "sig.gw.>", "sig.adm.>", "sig.adm.ask.>", "sig.adm.do.>", "_INBOX_rooms.>", "_INBOX_gw.>"),
	} {
		all = append(all, rows...)
	}
	return all
}

// ourSubject is where a service may send to itself, for reply. Operators may not; what they hear is from rooms.
var ourSubject = map[string]string{
	natskeys.Gateway: bus.SignalSubject(gatewayID),
	natskeys.Rooms:   bus.RoomsPingSubject(instanceID),
	natskeys.Admin:   toOperators,
}

// sender is whose connection sends there.
func (p *parties) sender(key string) *nats.Conn {
	if key == natskeys.Admin {
		return p.speaks[natskeys.Rooms]
	}
	return p.speaks[key]
}

// parties are connections with the services' keys: some that try, and others that hear.
type parties struct {
	speaks, hears map[string]*nats.Conn
}

func connectAll(url, ca string, seed func(service string) string) (*parties, error) {
	p := &parties{map[string]*nats.Conn{}, map[string]*nats.Conn{}}
	for _, service := range []string{natskeys.Gateway, natskeys.Rooms, natskeys.Admin} {
		for _, conns := range []map[string]*nats.Conn{p.speaks, p.hears} {
			key, err := nats.NkeyOptionFromSeed(seed(service))
			if err != nil {
				return p, err
			}
			ignore := func(*nats.Conn, *nats.Subscription, error) {} // LastError says it without delay
			if conns[service], err = nats.Connect(url, key, nats.RootCAs(ca), nats.ErrorHandler(ignore)); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

func (p *parties) close() {
	for _, conns := range []map[string]*nats.Conn{p.speaks, p.hears} {
		for _, nc := range conns {
			nc.Close()
		}
	}
}

// try does what the row says, and returns what is not as it says.
func (p *parties) try(row permission) error {
	nc := p.speaks[row.key]
	var heard *nats.Subscription
	if row.heard != "" {
		var err error
		if heard, err = p.hears[row.heard].SubscribeSync(row.subject); err != nil {
			return err
		}
		defer func() { _ = heard.Unsubscribe() }()
		if err := flush(p.hears[row.heard]); err != nil {
			return err
		}
		if wasRefused(p.hears[row.heard], subscribe, row.subject) {
			return fmt.Errorf("%s may not hear it", row.heard)
		}
	}
	refused, err := attempt(nc, p.sender(row.key), row)
	switch {
	case err != nil:
		return err
	case refused == row.allowed:
		return fmt.Errorf("refused: %v", refused)
	case heard != nil:
		_, err := heard.NextMsg(patience)
		return err
	}
	return nil
}

// patience bounds waits for a server on this machine. Only what fails waits so long.
const patience = 2 * time.Second

func flush(nc *nats.Conn) error { return nc.FlushTimeout(labtest.Patience) }

// attempt does it, and says whether the server refused it. The server's refusal precedes its answer to a flush.
func attempt(nc, sender *nats.Conn, row permission) (refused bool, err error) {
	switch row.verb {
	case publish:
		err = nc.Publish(row.subject, nil)
	case reply:
		err = replyTrick(nc, sender, ourSubject[row.key], row.subject)
	case subscribe:
		var sub *nats.Subscription
		if sub, err = nc.SubscribeSync(row.subject); err == nil {
			defer func() { _ = sub.Unsubscribe() }()
		}
	}
	if err != nil {
		return false, err
	}
	if err := flush(nc); err != nil {
		return false, err
	}
	return wasRefused(nc, row.verb, row.subject), nil
}

// wasRefused says whether a refusal is what the server said last. The wording is nats-server's. Operation and subject tell
// the rows of a connection apart, and where they do not, other rows stand between.
func wasRefused(nc *nats.Conn, v verb, subject string) bool {
	operation := "publish"
	if v == subscribe {
		operation = "subscription"
	}
	text := fmt.Sprintf("permissions violation for %s to %q", operation, subject)
	last := nc.LastError()
	return last != nil && strings.Contains(strings.ToLower(last.Error()), strings.ToLower(text))
}

// replyTrick gets a message with a reply subject and publishes to that.
func replyTrick(nc, sender *nats.Conn, ours, forbidden string) error {
	sub, err := nc.SubscribeSync(ours)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := errors.Join(flush(nc), sender.PublishRequest(ours, forbidden, nil), flush(sender)); err != nil {
		return err
	}
	m, err := sub.NextMsg(patience)
	if err != nil {
		return err
	}
	if m.Reply != forbidden {
		return errors.New("the message came with another reply subject")
	}
	return nc.Publish(m.Reply, nil)
}

func TestPermissions(t *testing.T) {
	s := startSite(t, 1)
	p, err := connectAll(s.URL(), s.CA(natskeys.Gateway), s.Key)
	defer p.close()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range permissions() {
		t.Run(fmt.Sprintf("%s %s %s", row.key, row.verb, row.subject), func(t *testing.T) {
			if err := p.try(row); err != nil {
				t.Errorf("want allowed: %v; got: %v", row.allowed, err)
			}
		})
	}
}
