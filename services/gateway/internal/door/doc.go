// Package door holds the gateway's doors: what clients connect to. A door turns frames into commands for the hub and the
// hub's events into frames; it knows nothing of rooms.
package door
