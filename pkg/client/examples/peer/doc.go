// Package peer shows how a program uses signalling to reach the others in a room by WebRTC: it enters the room, negotiates
// a connection with each member, and opens a data channel over it.
//
// Who joins makes the offers, to each member that its room-joined names; who is there already answers. So two peers never
// offer to each other at once. Candidates trickle: each is sent as it is found (RFC 8838), and an end-of-candidates after
// the last. What goes into a signal's data is what a browser would send:
//
//	{"type":"offer","sdp":"…"}          RTCSessionDescriptionInit: an offer or an answer
//	{"candidate":"candidate:…",…}       RTCIceCandidateInit
//	{} or null                          no more candidates come
package peer
