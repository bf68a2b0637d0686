// Package faults holds the server against CONTRACT.md section 4: what clients see when a process is stopped, killed, paused
// or restarted. It has no code outside of its tests. How long things took is logged, not judged: package faulttime measures it.
package faults
