package hub

import (
	"sync"
	"time"

	"signalling/api/client"
	"signalling/pkg/wsock"
)

// Resume are the limits of sessions that outlive their connections.
type Resume struct {
	// Window is for how long a session is kept once its connection is lost; 0 turns all of it off.
	Window time.Duration
	// Frames and Bytes bound what is kept for one session: frames that the client is not known to have.
	Frames, Bytes int
	// Memory bounds what is kept for all sessions, in bytes.
	Memory int64
	// Secret signs tokens. Gateways between which clients move share it.
	Secret []byte
}

// Frame is an event as a door has encoded it.
type Frame struct {
	// Text is the event's JSON, Attachments are those of a binary Socket.IO event. Neither changes.
	Text        []byte
	Attachments [][]byte
	// Wire is Text as a frame of the native door, nil if it is not made yet.
	Wire wsock.Frame
}

// frameBytes is what a kept frame costs beside its content.
const frameBytes = 96

func (f *Frame) size() int {
	n := frameBytes + len(f.Text)
	for _, a := range f.Attachments {
		n += len(a)
	}
	return n
}

// Link is a door's connection of a session that may outlive it. The methods block no more than those of Conn.
type Link interface {
	// Encoder makes the frames of the connection's door.
	Encoder() Encoder
	// Send queues a frame with its number in the session.
	Send(seq uint64, f Frame)
	// Acknowledge answers the acknowledgement that a command asked for: with an event, or with none for a signal that was
	// delivered. It is not kept.
	Acknowledge(ref []byte, e client.Event)
	// Resumed queues the news that the connection is an earlier session's from now on. It comes before all else.
	Resumed(s *Session, e *client.Resumed)
	// Flush writes what is queued.
	Flush()
	// Pending is how many messages and bytes wait to be sent.
	Pending() (frames, bytes int)
	// Close ends the connection; what the client has sent already is still taken, where the door can.
	Close(code client.CloseCode)
	// Cut ends the connection at once, because another one has its session.
	Cut()
	// Ask has the client show that it has what was sent up to a mark: Session.Acked is called then.
	Ask(m Mark)
	// Over is closed when nothing of the connection reaches the session any more.
	Over() <-chan struct{}
}

// Encoder makes frames of one door.
type Encoder interface {
	// Door is the door's name. A session is resumed through the door that it came through.
	Door() string
	Broadcast(b *Broadcast) Frame
	Answer(ref []byte, e client.Event) Frame
	Signal(room, sender string, data []byte) Frame
}

// keeper stands between a session and its connections. It numbers the frames and keeps those that the client is not known
// to have, so that the next connection can go on where one has ended. It is the session's Conn.
type keeper struct {
	s   *Session
	enc Encoder

	mu       sync.Mutex // guards what follows; taken after a partition's mutex
	link     Link       // nil while there is no connection
	last     Link       // the newest connection, also when it is lost
	inc      uint64     // the newest incarnation
	began    uint64     // when the connection that made it has asked, in ms since 1970
	proven   uint64     // the newest incarnation whose token the client is known to have: older ones are void
	anew     uint64     // the incarnation with which the numbers of frames last began anew: who knows older ones only has missed all
	shown    uint64     // Hub.outages when the client last showed that it is here
	sent     uint64     // number of the newest frame
	kept     []kept     // ascending, without gaps
	bytes    int
	received uint64 // commands of the client
	yielded  bool   // the session ends here, because it is elsewhere
	gone     bool   // the session has ended here
	timer    *time.Timer
	// handle shows which connection's end, or which window's, is meant.
	handle uint64
}

type kept struct {
	seq uint64
	Frame
}

// Deliver implements Conn.
func (k *keeper) Deliver(b *Broadcast) { k.put(k.enc.Broadcast(b), nil, nil) }

// Answer implements Conn.
func (k *keeper) Answer(ref []byte, e client.Event) { k.put(k.enc.Answer(ref, e), ref, e) }

// Signal implements Conn.
func (k *keeper) Signal(room, sender string, data []byte) {
	k.put(k.enc.Signal(room, sender, data), nil, nil)
}

// Delivered implements Conn.
func (k *keeper) Delivered(ref []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.link != nil {
		k.link.Acknowledge(ref, nil)
	}
}

// Flush implements Conn.
func (k *keeper) Flush() {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	if l != nil {
		l.Flush()
	}
}

// Pending implements Conn.
func (k *keeper) Pending() (frames, bytes int) {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	if l == nil {
		return 0, 0
	}
	return l.Pending()
}

// Close implements Conn.
func (k *keeper) Close(code client.CloseCode) {
	k.mu.Lock()
	l := k.link
	k.mu.Unlock()
	if l != nil {
		l.Close(code)
	}
}

// put numbers a frame, keeps it and sends it.
func (k *keeper) put(f Frame, ref []byte, e client.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return
	}
	k.sent++
	k.keep(f)
	if k.link != nil {
		k.link.Send(k.sent, f)
		if ref != nil {
			k.link.Acknowledge(ref, e)
		}
	}
}

// keep keeps a frame within the bounds: the oldest make room. mu is held.
func (k *keeper) keep(f Frame) {
	r := &k.s.h.cfg.Resume
	k.kept = append(k.kept, kept{k.sent, f})
	n := f.size()
	k.bytes += n
	total := k.s.h.keptBytes.Add(int64(n))
	for len(k.kept) > 0 && (len(k.kept) > r.Frames || k.bytes > r.Bytes || total > r.Memory) {
		total = k.drop(1)
	}
}

// drop forgets the n oldest frames and returns what is kept for all sessions. mu is held.
func (k *keeper) drop(n int) int64 {
	freed := 0
	for i := range k.kept[:n] {
		freed += k.kept[i].size()
	}
	clear(k.kept[:n])
	if k.kept = k.kept[n:]; len(k.kept) == 0 {
		k.kept = nil
	}
	k.bytes -= freed
	return k.s.h.keptBytes.Add(-int64(freed))
}

// acked forgets the frames that the client has. mu is held.
func (k *keeper) acked(upTo uint64) {
	n := 0
	for n < len(k.kept) && k.kept[n].seq <= upTo {
		n++
	}
	if n > 0 {
		k.drop(n)
	}
}

// missed says that frames after received are not kept any more. mu is held.
func (k *keeper) missed(received uint64) bool {
	if len(k.kept) == 0 {
		return received < k.sent
	}
	return k.kept[0].seq > received+1
}

// end forgets all.
func (k *keeper) end() { k.endIf(func() bool { return true }) }

// endIf is end if ok, which is asked under mu: no connection can take the session between the question and the end. It
// reports whether this call has done it.
func (k *keeper) endIf(ok func() bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone || !ok() {
		return false
	}
	k.gone, k.link = true, nil
	k.handle++
	k.stopTimer()
	k.drop(len(k.kept))
	return true
}

func (k *keeper) stopTimer() {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

// wait lets the window run, at the end of which the session ends. mu is held.
func (k *keeper) wait() {
	k.handle++
	handle := k.handle
	k.timer = time.AfterFunc(k.s.h.cfg.Resume.Window, func() {
		if k.endIf(func() bool { return k.handle == handle }) {
			k.s.End()
		}
	})
}

// stopKeepers ends the windows, without a word to anybody.
func (h *Hub) stopKeepers() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.byID {
		s.keep.end()
	}
}
