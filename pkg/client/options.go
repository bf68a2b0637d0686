package client

import (
	"context"

	api "signalling/api/client"
)

// Rooms with options: section 1.9 of PROTOCOL.md.
type (
	// RoomOptions ask for a room that is not a plain one, or to change one. Zero fields leave things as they are.
	RoomOptions = api.RoomOptions
	// RoomState is what members are told of a room's options.
	RoomState = api.RoomState
	// OwnerLoss is what becomes of a room when its owner is lost.
	OwnerLoss = api.OwnerLoss
	// OwnerChanged tells that the room has another owner.
	OwnerChanged = api.OwnerChanged
	// RoomUpdated answers Update, and tells the other members.
	RoomUpdated = api.RoomUpdated
	// ClientKicked answers Kick.
	ClientKicked = api.ClientKicked
)

// The answers to the loss of an owner.
const (
	CloseRoom    = api.CloseRoom
	AwaitOwner   = api.AwaitOwner
	TransferRoom = api.TransferRoom
)

// NoLimit takes a room's capacity away.
const NoLimit = api.NoLimit

// Entry is what a room may ask of those who join it.
type Entry struct {
	// Password is the room's, "" if it has none.
	Password string
	// OwnerKey makes the client the room's owner, if it is the one that the room was given. "" claims nothing.
	OwnerKey string
}

// CreateWith is Create for a room with options; nil stands for a plain room. An *Error with code BadRequest says which
// option is wrong; nothing is created then.
func (c *Client) CreateWith(ctx context.Context, room string, options *RoomOptions) error {
	cmd := inRoom(api.RoomCreate, room)
	cmd.Options = options
	_, err := request[*RoomCreated](ctx, c, cmd)
	return err
}

// JoinWith is Join for a room that asks for something. An *Error with code Forbidden says that the room is locked, that the
// password or key is wrong, or that the client was removed from it; RoomFull that it has no place.
func (c *Client) JoinWith(ctx context.Context, room string, with Entry) (*RoomJoined, error) {
	cmd := inRoom(api.RoomJoin, room)
	if with.Password != "" {
		cmd.Password = []byte(with.Password)
	}
	if with.OwnerKey != "" {
		cmd.OwnerKey = []byte(with.OwnerKey)
	}
	return request[*RoomJoined](ctx, c, cmd)
}

// Update changes options of a room that the client owns, and returns what members are told of them now. Errors:
// ErrNotInRoom, an *Error with code Forbidden for who is not the owner, and as Create's.
func (c *Client) Update(ctx context.Context, room string, options RoomOptions) (*RoomState, error) {
	cmd := inRoom(api.RoomUpdate, room)
	cmd.Options = &options
	e, err := request[*RoomUpdated](ctx, c, cmd)
	if err != nil {
		return nil, err
	}
	return e.Options, nil
}

// Kick removes a member from a room that the client owns; it cannot join again. Errors: ErrNotInRoom, ErrTargetNotFound, an
// *Error with code Forbidden for who is not the owner, and as Create's.
func (c *Client) Kick(ctx context.Context, room, target string) error {
	cmd := inRoom(api.RoomKick, room)
	cmd.TargetID = []byte(target)
	_, err := request[*ClientKicked](ctx, c, cmd)
	return err
}
