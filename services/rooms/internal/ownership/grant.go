// Package ownership says which partitions this rooms instance owns, and from which epoch on.
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
}
