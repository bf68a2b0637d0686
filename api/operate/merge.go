package operate

import (
	"cmp"
	"slices"
)

// Merge makes one list of those of several partitions: it has the order and the limit that the question asks for. Its
// Partition is -1.
func Merge(parts []RoomList, q *Question) RoomList {
	all := RoomList{Partition: -1, Rooms: []Summary{}}
	for _, p := range parts {
		all.Rooms = append(all.Rooms, p.Rooms...)
		all.Total += p.Total
		all.More = all.More || p.More
	}
	slices.SortFunc(all.Rooms, func(a, b Summary) int {
		if q.Largest && a.Members != b.Members {
			return cmp.Compare(b.Members, a.Members)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	if len(all.Rooms) > q.Limit {
		all.Rooms, all.More = all.Rooms[:q.Limit], true
	}
	return all
}
