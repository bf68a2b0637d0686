// Package check decides whether what clients saw can be true. It knows nothing of the server: it has only what each client
// received, in order, and CONTRACT.md rules 1 to 4.
//
// Fold follows one client and finds what contradicts itself: an event of a room that the client is not in, a member that
// joins twice, one that leaves and was not there.
//
// Histories compares the clients. A room's owner is a member from its first moment to its last, so its log is the truth of
// that life of the room. Whoever joined appears in it; that member's first roster must be the membership at that point,
// and from there on its log must be the same, word for word, for as long as both were members.
//
// Quiescent compares the views that remain when nothing happens any more: they must be equal, and be the clients that are
// there.
package check
