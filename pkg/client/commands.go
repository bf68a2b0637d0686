package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	api "signalling/api/client"
)

// Create makes a room, with the client as its owner and first member. The room ends when its owner leaves or loses its
// connection. Errors: ErrRoomExists, an *Error, or as all commands': the context's error if it ends before the answer comes
// (the command may have been carried out nevertheless; its answer then only comes as an event), and the client's Err if the
// connection ends.
func (c *Client) Create(ctx context.Context, room string) error {
	_, err := request[*RoomCreated](ctx, c, inRoom(api.RoomCreate, room))
	return err
}

// Join makes the client a member of a room, or tells who is in it if the client is a member already. The answer names the
// room's owner and the other members in the order in which they joined. Errors: ErrRoomNotExists, and as Create's.
func (c *Client) Join(ctx context.Context, room string) (*RoomJoined, error) {
	return request[*RoomJoined](ctx, c, inRoom(api.RoomJoin, room))
}

// Leave ends the client's membership, and the room too if the client is its owner. Errors: ErrNotInRoom, and as Create's.
func (c *Client) Leave(ctx context.Context, room string) error {
	_, err := request[*RoomLeft](ctx, c, inRoom(api.RoomLeave, room))
	return err
}

// Signal sends data to another member of a room. data is a json.RawMessage, which arrives byte for byte, or anything else
// that encoding/json takes; nil arrives as null. Signals to one target arrive in the order in which they were sent.
//
// Signal returns when the message is on its way, and there is no answer when it is delivered. When it is not, a NotInRoom,
// TargetNotFound or *Error comes as an event that is no Answer. Errors: ErrInvalidData, ErrMessageTooBig, ErrInvalidName, the
// context's error if the network takes nothing for so long (nothing was sent then), and the client's Err if the connection
// has ended.
func (c *Client) Signal(ctx context.Context, room, target string, data any) error {
	raw, err := encode(data)
	if err != nil {
		return err
	}
	return c.send(ctx, &api.Command{Op: api.SignalSend, Room: []byte(room), TargetID: []byte(target), Data: raw})
}

// RefreshToken puts another token of the same user in the place of the one that the client connected with, so that the
// connection goes on after that one's end. It returns the time for which the new one is good, 0 if it has no end. An *Error
// with code Unauthorized or Forbidden changes nothing.
func (c *Client) RefreshToken(ctx context.Context, token string) (time.Duration, error) {
	e, err := request[*TokenRefreshed](ctx, c, &api.Command{Op: api.TokenRefresh, Token: []byte(token)})
	if err != nil {
		return 0, err
	}
	return time.Duration(e.ExpiresIn) * time.Millisecond, nil // #nosec G115 -- from the server
}

// ICEServers asks for the ICE servers that the gateway is configured with, as a JSON array of RTCIceServer. The welcome brings
// them too, and an ICEServers event new ones before their credentials end.
func (c *Client) ICEServers(ctx context.Context) (*ICEServers, error) {
	return request[*ICEServers](ctx, c, &api.Command{Op: api.ICEServersGet})
}

func inRoom(op api.Op, room string) *api.Command { return &api.Command{Op: op, Room: []byte(room)} }

func encode(data any) (json.RawMessage, error) {
	raw, ok := data.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidData, err)
		}
	}
	if len(raw) > 0 && !json.Valid(raw) {
		return nil, ErrInvalidData
	}
	return raw, nil
}

// request sends a command and waits for its answer, which is an A if all went well.
func request[A Event](ctx context.Context, c *Client, cmd *api.Command) (none A, _ error) {
	id, answer := c.expect()
	defer c.forget(id)
	cmd.ID = strconv.AppendUint(nil, id, 10)
	if err := c.send(ctx, cmd); err != nil {
		return none, err
	}
	e, err := c.await(ctx, answer)
	if err != nil {
		return none, err
	}
	if a, ok := e.(A); ok {
		return a, nil
	}
	if err := errorOf(e); err != nil {
		return none, err
	}
	return none, fmt.Errorf("%w: %s answered by %T", ErrProtocol, cmd.Op, e)
}

// expect reserves an id for a command and the place for its answer.
func (c *Client) expect() (id uint64, answer chan Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	answer = make(chan Event, 1)
	c.pending[c.nextID] = answer
	return c.nextID, answer
}

// forget returns the place for an answer, once.
func (c *Client) forget(id uint64) chan Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.pending[id]
	delete(c.pending, id)
	return answer
}

// send queues a command for the writer.
func (c *Client) send(ctx context.Context, cmd *api.Command) error {
	if !utf8.Valid(cmd.Room) || !utf8.Valid(cmd.TargetID) {
		return ErrInvalidName
	}
	frame := cmd.AppendObject(nil)
	if len(frame) > c.maxMessage {
		return fmt.Errorf("%w: %d of at most %d bytes", ErrMessageTooBig, len(frame), c.maxMessage)
	}
	c.sending.RLock()
	defer c.sending.RUnlock()
	// Of several ready cases select takes any: these two must win over the outbox.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	select {
	case c.outbox <- outgoing{frame, cmd.Op == api.SignalSend}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closing:
		return ErrClosed
	case <-c.ending:
		return c.Err()
	}
}

func (c *Client) await(ctx context.Context, answer <-chan Event) (Event, error) {
	select {
	case e := <-answer:
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.closing:
	case <-c.ending:
	}
	select {
	case e := <-answer: // it came with the end
		return e, nil
	default:
		return nil, c.Err()
	}
}
