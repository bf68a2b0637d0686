package labtest

import "sync"

// Buffer takes what a process writes. The zero value is ready for use, by any number of goroutines.
type Buffer struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// String returns what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}
