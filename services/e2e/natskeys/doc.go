// Package natskeys makes what a closed NATS needs to know who is who: a certificate authority, certificates for its nodes,
// the password with which nodes know each other, and NKeys for the services. It writes one folder for each machine, which
// holds what that machine needs and nothing of the others'.
//
// Nothing in it is fit to be committed. Run again it keeps every secret that is there and makes what is missing, so a node
// is added, or a certificate renewed, by running it again.
package natskeys
