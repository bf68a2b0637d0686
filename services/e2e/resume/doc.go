// Package resume holds the server against PROTOCOL.md section 1.10: clients that lose their connections, or whose gateways
// stop or die, come back to their sessions. It has no code outside of its tests.
package resume
