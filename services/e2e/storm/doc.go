// Package storm lets many clients do many things at once: they create, join and leave rooms, send signals, and lose their
// connections, at random but from a seed. What each of them saw is recorded for package check.
package storm
