// Package contract holds the server against CONTRACT.md, sections 1 to 3: each row of the tables and each rule has a test
// of its name, which runs against the one-process build and against separate processes, with the clients spread over two
// gateways. It has no code outside of its tests.
package contract
