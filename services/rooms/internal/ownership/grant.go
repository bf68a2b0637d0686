// Package ownership says which partitions this rooms instance owns, and from which epoch on.
//
// Static is for a lone instance. KV is for several: a JetStream key-value bucket has one key for each partition, which
// changes by compare-and-swap alone, and every change of owner adds one to the epoch in it. Clocks decide when to try,
// epochs decide who is right.
package ownership

import "time"

// Grant tells that this instance owns a partition, or that it does not any more.
type Grant struct {
	Partition int
	// Epoch of the ownership; 0 takes the partition away. The same epoch again prolongs the grant, a higher one makes
	// this instance a new owner that has to learn the rooms.
	Epoch uint64
	// Until is when the grant ends unless it is prolonged; the zero time is never.
	Until time.Time
	// Asked is when the question was asked that this grant is the answer to. What happened later may have ended it.
	Asked time.Time
	// Released, if set, is called when a partition that was taken away is not served any more.
	Released func()
}
