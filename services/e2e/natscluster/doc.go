// Package natscluster runs the NATS configurations of deploy/nats, as they are, with nodes that are real processes, and
// shows what they promise: that services work with the keys made for them and nothing else does, and that the loss of one
// of three nodes is noticed by nobody.
package natscluster
