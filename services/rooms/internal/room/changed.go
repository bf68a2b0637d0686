package room

import "signalling/api/bus"

// Changed returns digests of the rooms that have had an event since the last call of Forget, each small enough for one
// message; partition is the number that they carry. A name that had two rooms in that time is listed for both, in order.
func (p *Partition) Changed(partition int) []bus.Digest {
	var digests []bus.Digest
	size := bus.MaxPartBytes
	for _, r := range p.changed {
		const fields = 64
		n := fields + 6*len(r.name)
		if size += n; size > bus.MaxPartBytes {
			digests = append(digests, bus.Digest{Partition: partition, Epoch: p.epoch})
			size = n
		}
		d := &digests[len(digests)-1]
		d.Rooms = append(d.Rooms, bus.RoomVersion{Room: r.name, Version: r.version, Closed: r.closed})
	}
	return digests
}

// Forget starts the time of the next Changed.
func (p *Partition) Forget() {
	for _, r := range p.changed {
		r.inChanged = false
	}
	clear(p.changed) // rooms that have ended must not be kept alive
	p.changed = p.changed[:0]
}
