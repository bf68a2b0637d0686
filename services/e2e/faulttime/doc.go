// Package faulttime measures how long clients feel each of the faults of CONTRACT.md section 4. It runs the product as real
// processes, does to them what the row of a table says, many times, and takes the time by the clients' own clocks. Each
// time it also checks that clients see what the row says that they see and nothing else.
package faulttime
