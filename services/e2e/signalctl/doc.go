// Package signalctl has no code of its own: its tests run the operators' tool against real services on a NATS server with the
// permissions of deploy/nats.
package signalctl
