// Package bus is the contract between the gateways and the rooms service: the NATS subjects, which are built only here,
// and the messages on them. PROTOCOL.md in the parent folder tells the same in prose, with sequence diagrams.
//
// Messages are JSON objects. Decoders ignore fields that they do not know, so that services of neighbouring versions
// understand each other during an upgrade. A signal is the exception: a short JSON header, then the client's own bytes.
package bus
