// Package operate is what operators and the services say to each other over NATS: questions, actions, and their answers, as
// JSON objects whose unknown fields are ignored. Their subjects are those of package bus: bus.AdminGateway, bus.AdminRooms
// and bus.AdminPartition, with the verb that the operation demands. Answers come on a subject under bus.OperatorInbox.
//
// No answer has a secret: not a password of a room, nor what it is held against, nor a token of a client.
package operate
