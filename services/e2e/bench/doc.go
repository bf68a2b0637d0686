// Package bench measures what the product costs, beside what users would pick instead: a server of the original kind, on Node
// and npm's socket.io. It starts the servers, lets the load generator load them in turn, and keeps the figures of every
// round. Works say what is measured and which bars the product is to stay under.
package bench
