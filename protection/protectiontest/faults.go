package protectiontest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// errKilled is what a dead process's calls end with.
var errKilled = errors.New("the process was killed")

// faults is the way to the cloud, and the place where a process dies.
type faults struct {
	base        http.RoundTripper
	changesOnly bool

	mu sync.Mutex
	// left counts down to the call that is the last; negative for never.
	left   int
	after  bool // the last call reaches the cloud, its answer reaches nobody
	calls  int
	dead   bool
	cancel context.CancelFunc
}

// arm begins a life, which ends at the n-th call from now; a negative n is never.
// cancel ends everything that the process does.
func (f *faults) arm(n int, after bool, cancel context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.after, f.calls, f.dead, f.cancel = n, after, 0, false, cancel
}

func (f *faults) alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.dead
}

// kill ends the life. The caller holds the lock.
func (f *faults) kill() {
	f.dead = true
	if f.cancel != nil {
		f.cancel()
	}
}

// RoundTrip implements http.RoundTripper.
func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return nil, errKilled
	}
	last := false
	if !f.changesOnly || r.Method != http.MethodGet {
		last = f.left == 0
		f.left--
		f.calls++
	}
	if last && !f.after {
		f.kill()
		f.mu.Unlock()
		return nil, errKilled
	}
	f.mu.Unlock()
	if !last {
		return f.base.RoundTrip(r)
	}
	// The cloud does all that it was asked for, then the process is gone.
	response, err := f.base.RoundTrip(r.Clone(context.WithoutCancel(r.Context())))
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	f.mu.Lock()
	f.kill()
	f.mu.Unlock()
	return nil, errKilled
}

// sparse keeps bytes with blocks of zeros left out: volumes are mostly zeros.
type sparse struct {
	blocks map[int64][]byte
	size   int64
	last   []byte // the block that is not full yet
}

const sparseBlock = 64 << 10

func (s *sparse) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), sparseBlock-len(s.last))
		s.last = append(s.last, p[:n]...)
		p, s.size = p[n:], s.size+int64(n)
		if len(s.last) == sparseBlock {
			s.flush()
		}
	}
}

var zeros = make([]byte, sparseBlock)

func (s *sparse) flush() {
	if s.blocks == nil {
		s.blocks = map[int64][]byte{}
	}
	at := (s.size - int64(len(s.last))) / sparseBlock
	if !bytes.Equal(s.last, zeros[:len(s.last)]) {
		s.blocks[at] = bytes.Clone(s.last)
	}
	s.last = s.last[:0]
}

// read fills p from offset on, and gives how many bytes there were.
func (s *sparse) read(p []byte, offset int64) int {
	if offset >= s.size {
		return 0
	}
	at, within := offset/sparseBlock, offset%sparseBlock
	n := int(min(int64(len(p)), sparseBlock-within, s.size-offset))
	block := s.blocks[at]
	if block == nil {
		block = zeros
	}
	return copy(p[:n], block[within:])
}
