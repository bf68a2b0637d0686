// Package client connects a Go program to the signalling server's native door, ws://host:8080/ws: it creates, joins and
// leaves rooms, sends signals to other members, and hands out what the server tells.
//
// A [Client] is one connection, with the id that the other members know it by. Commands ([Client.Create], [Client.Join],
// [Client.Leave]) wait for their answers; they may be called from any number of goroutines, and the server answers those
// that concern one room in the order in which they were sent. [Client.Signal] has no answer when the signal is delivered;
// when it is not, a [TargetNotFound] or [NotInRoom] comes as an event.
//
// Everything that the server sends, answers included, can be read in its exact order from [Client.Events]. This is what a
// program folds into its view of a room: the clients of the [RoomJoined], plus every later [ClientJoined], less every later
// [ClientLeft], until a [RoomLeft].
//
// The package does not reconnect by itself: a new connection is a new client with a new id and is in no room, and only the
// program knows what to do about that. [CloseError] says whether the server wants it to come back. Do so after a pause with
// jitter.
//
// Where the server keeps sessions, a client whose connection was lost leaves a [Session], and a Dial with it as
// [Options].Resume, at any gateway, goes on as the same client: with its id, in its rooms, and with what it missed.
// [Client.Resumed] says whether that has worked.
//
// Rooms can have options, such as a password, or what becomes of them without their owner: [Client.CreateWith],
// [Client.JoinWith], [Client.Update], [Client.Kick].
//
// The contract in full is in CONTRACT and PROTOCOL of the server's documents; its Go types are in signalling/api/client,
// and those that this package's users need have their names here too.
package client
