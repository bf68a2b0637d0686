package ownership

import "signalling/api/bus"

// Static is the ownership of a lone instance: all partitions, for ever.
type Static struct {
	epochs [bus.Partitions]uint64
	grants chan Grant
}

// NewStatic grants every partition at an epoch that must be higher than that of the instance's earlier runs: the time in
// milliseconds is.
func NewStatic(epoch uint64) *Static {
	s := &Static{grants: make(chan Grant, 2*bus.Partitions)}
	for p := range s.epochs {
		s.epochs[p] = epoch
		s.grants <- Grant{Partition: p, Epoch: epoch}
	}
	return s
}

// Grants is where the partitions arrive.
func (s *Static) Grants() <-chan Grant { return s.grants }

// Challenge reports that somebody has met an epoch of a partition that is higher than ours: our clock was set back, or
// another instance runs that should not. A higher one yet is granted, so that gateways believe this instance again.
func (s *Static) Challenge(partition int, epoch uint64) {
	if epoch < s.epochs[partition] {
		return // answered already
	}
	select {
	case s.grants <- Grant{Partition: partition, Epoch: epoch + 1}:
		s.epochs[partition] = epoch + 1
	default: // full: whoever met the epoch will say so again
	}
}

// Doubt reports that the instance was cut off for a while. Nobody else can have taken over.
func (s *Static) Doubt() {}
