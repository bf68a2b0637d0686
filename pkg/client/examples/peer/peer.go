package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/webrtc/v4"

	"signalling/pkg/client"
)

// Config says where to go. URL and Room are needed.
type Config struct {
	// URL is the server's native door, such as ws://127.0.0.1:8080/ws.
	URL string
	// Room is created if it does not exist.
	Room string
	// Token says to the server who the peer is, where it asks for that.
	Token string
	// ICEServers help peers that cannot reach each other directly. Default: those that the server names; none are enough on
	// one network.
	ICEServers []webrtc.ICEServer
	// RelayOnly makes connections through TURN servers only.
	RelayOnly bool
	// Step, if set, is told what happens. Calls may come from several goroutines at once.
	Step func(format string, args ...any)
}

// Peer is a member of a room with a WebRTC connection to each other member. It must be closed.
type Peer struct {
	cfg      Config
	api      *webrtc.API
	signals  *client.Client
	channels chan *Channel

	ctx    context.Context // of everything that Enter started
	cancel context.CancelCauseFunc
	ended  chan struct{}

	remotes map[string]*remote // by client id; used by run only
	ice     []webrtc.ICEServer // likewise
}

// Enter connects to the server, creates or joins the room, and begins to negotiate with the members that are there. ctx
// bounds Enter, not the life of the peer.
func Enter(ctx context.Context, cfg Config) (*Peer, error) {
	if cfg.Step == nil {
		cfg.Step = func(string, ...any) {}
	}
	signals, err := client.Dial(ctx, cfg.URL, &client.Options{Token: cfg.Token})
	if err != nil {
		return nil, err
	}
	cfg.Step("connected to %s as %s", cfg.URL, signals.ID())
	p := &Peer{
		cfg:      cfg,
		api:      newAPI(),
		signals:  signals,
		channels: make(chan *Channel, 16),
		ended:    make(chan struct{}),
		remotes:  map[string]*remote{},
		ice:      cfg.ICEServers,
	}
	if err := p.enterRoom(ctx); err != nil {
		_ = signals.Close()
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	go p.run()
	return p, nil
}

// newAPI also offers loopback addresses, so that peers on one machine meet without any network.
func newAPI() *webrtc.API {
	var engine webrtc.SettingEngine
	engine.SetIncludeLoopbackCandidate(true)
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine))
}

// enterRoom joins the room, or creates it. Between the two somebody else may have created or closed it: then it tries
// again.
func (p *Peer) enterRoom(ctx context.Context) error {
	for {
		room, err := p.signals.Join(ctx, p.cfg.Room)
		if err == nil {
			p.cfg.Step("joined room %q of %s, with %d members", p.cfg.Room, room.OwnerID, len(room.Clients)+1)
			return nil
		}
		if errors.Is(err, client.ErrRoomNotExists) {
			err = p.signals.Create(ctx, p.cfg.Room)
		}
		switch {
		case err == nil:
			p.cfg.Step("created room %q", p.cfg.Room)
			return nil
		case !errors.Is(err, client.ErrRoomExists):
			return fmt.Errorf("entering room %q: %w", p.cfg.Room, err)
		}
	}
}

// ID is the peer's client id.
func (p *Peer) ID() string { return p.signals.ID() }

// Channels hands out each data channel when it is open. It is closed when the peer ends.
func (p *Peer) Channels() <-chan *Channel { return p.channels }

// Err says why the peer ended, nil if it has not or if Close ended it.
func (p *Peer) Err() error {
	if cause := context.Cause(p.ctx); cause != nil && !errors.Is(cause, client.ErrClosed) {
		return cause
	}
	return nil
}

// Close leaves the room and ends all connections.
func (p *Peer) Close() {
	p.cancel(client.ErrClosed)
	_ = p.signals.Close()
	<-p.ended
}

// run folds the server's events until the connection ends. The answer to the join is the first of interest.
func (p *Peer) run() {
	defer close(p.ended)
	for m := range p.signals.Events() {
		if err := p.handle(m); err != nil {
			p.cancel(err)
			break
		}
	}
	_ = p.signals.Close()
	p.cancel(p.signals.Err())
	var all sync.WaitGroup
	for _, r := range p.remotes {
		all.Go(r.close)
	}
	all.Wait()
	close(p.channels)
}

func (p *Peer) handle(m client.Message) error {
	switch e := m.Event.(type) {
	case *client.Welcome:
		return p.useServers(e.ICEServers)
	case *client.ICEServers:
		return p.useServers(e.ICEServers)
	case *client.RoomJoined:
		for _, id := range e.Clients {
			if err := p.remote(id).offer(); err != nil {
				return fmt.Errorf("offering to %s: %w", id, err)
			}
		}
	case *client.ClientJoined:
		p.cfg.Step("%s joined: it will make an offer", e.ClientID)
	case *client.ClientLeft:
		p.cfg.Step("%s left", e.ClientID)
		p.drop(e.ClientID)
	case *client.RoomLeft:
		return fmt.Errorf("room %q was closed", e.Room)
	case *client.SignalReceive:
		if err := p.remote(e.SenderID).receive(e.Data); err != nil {
			// One peer's nonsense must not end the connections to the others.
			p.cfg.Step("signal of %s: %v", e.SenderID, err)
		}
	case *client.TargetNotFound:
		p.cfg.Step("%s is no longer there", e.TargetID)
	}
	return nil
}

// useServers takes the ICE servers that the server names, unless the configuration has others. Those of the welcome come first;
// later ones have newer credentials, and serve the connections that are made from then on.
func (p *Peer) useServers(text json.RawMessage) error {
	if p.cfg.ICEServers != nil || text == nil {
		return nil
	}
	var servers []webrtc.ICEServer
	if err := json.Unmarshal(text, &servers); err != nil {
		return fmt.Errorf("ICE servers: %w", err)
	}
	p.ice = servers
	return nil
}

// configuration is that of a new connection.
func (p *Peer) configuration() webrtc.Configuration {
	c := webrtc.Configuration{ICEServers: p.ice}
	if p.cfg.RelayOnly {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return c
}

// remote returns the connection to another member, a new one if need be.
func (p *Peer) remote(id string) *remote {
	r := p.remotes[id]
	if r == nil {
		r = &remote{peer: p, id: id}
		p.remotes[id] = r
	}
	return r
}

func (p *Peer) drop(id string) {
	if r := p.remotes[id]; r != nil {
		r.close()
		delete(p.remotes, id)
	}
}

// signal sends data to another member.
func (p *Peer) signal(id string, data json.RawMessage) error {
	return p.signals.Signal(p.ctx, p.cfg.Room, id, data)
}
