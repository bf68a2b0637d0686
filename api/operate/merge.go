package operate

// Merge makes one list of those of several partitions: it has the order and the limit that the question asks for. Its
// Partition is -1. Where a part has ended early, the list ends too, so that the next page has what is missing.
func Merge(parts []RoomList, q *Question) RoomList {
	all := RoomList{Partition: -1, Rooms: []Summary{}}
	var end *Summary // the first of the rooms after which something is missing
	for _, p := range parts {
		all.Rooms = append(all.Rooms, p.Rooms...)
		all.Total += p.Total
		all.More = all.More || p.More
		if n := len(p.Rooms); p.More && n > 0 {
			if last := &p.Rooms[n-1]; end == nil || q.compare(last.Name, last.Members, end) < 0 {
				end = last
			}
		}
	}
	sortRooms(all.Rooms, q)
	for n := range all.Rooms {
		if r := &all.Rooms[n]; n == q.Limit || (end != nil && q.compare(r.Name, r.Members, end) > 0) {
			all.Rooms, all.More = all.Rooms[:n], true
			break
		}
	}
	return all
}
