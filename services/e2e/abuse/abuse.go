// Package abuse does to a running server what nobody should, and holds it to bounds: its memory, goroutines and open files stay
// within them, come back afterwards, and its other clients are answered all the while. It has no code outside of its tests.
package abuse
