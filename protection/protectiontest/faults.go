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

// mode is what becomes of the call at which a process dies.
type mode int

const (
	// before: the cloud does not see it.
	before mode = iota
	// after: the cloud has done it; its answer reaches nobody.
	after
	// later: the cloud has got it, and does it when it has been looked for.
	later
)

var modeNames = []string{before: "before it", after: "after it", later: "which the cloud carries out later"}

// faults is the way to the cloud, and the place where a process dies.
type faults struct {
	base        http.RoundTripper
	changesOnly bool

	mu sync.Mutex
	// left counts down to the call that is the last; negative for never.
	left   int
	mode   mode
	dead   bool
	cancel context.CancelFunc
	// held is the call that the cloud will do later, and seen what the next life
	// has read since.
	held *http.Request
	seen map[string]bool
}

// arm begins a life, which ends at the n-th call from now; a negative n is never.
// cancel ends everything that the process does.
func (f *faults) arm(n int, m mode, cancel context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.mode, f.dead, f.cancel, f.seen = n, m, false, cancel, map[string]bool{}
}

func (f *faults) alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.dead
}

// kill ends the life.
func (f *faults) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	if f.cancel != nil {
		f.cancel()
	}
}

// deliver has the cloud do what it was to do later.
func (f *faults) deliver() {
	f.mu.Lock()
	held := f.held
	f.held = nil
	f.mu.Unlock()
	if held == nil {
		return
	}
	if response, err := f.base.RoundTrip(held); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// hold has the cloud wait with what it does later until deliver.
func (f *faults) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = nil
}

// counts reports whether a call is one at which the process may die. What can be
// done later has all been sent: that is no upload.
func (f *faults) counts(r *http.Request) bool {
	if f.mode == later {
		return r.Method == http.MethodPost || r.Method == http.MethodPut && r.Header.Get("Content-Type") == "application/json"
	}
	return !f.changesOnly || r.Method != http.MethodGet
}

// due reports whether the cloud does now what it does later: when somebody looks a
// second time, or asks for it a second time.
func (f *faults) due(r *http.Request) bool {
	if f.held == nil || f.seen == nil {
		return false
	}
	if r.Method != http.MethodGet {
		return r.Method == f.held.Method && r.URL.Path == f.held.URL.Path
	}
	looked := f.seen[r.URL.String()]
	f.seen[r.URL.String()] = true
	return looked
}

// RoundTrip implements http.RoundTripper.
func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return nil, errKilled
	}
	last := false
	if f.counts(r) {
		last = f.left == 0
		f.left--
	}
	m, due := f.mode, f.due(r)
	f.mu.Unlock()
	if due {
		f.deliver()
	}
	if !last {
		return f.base.RoundTrip(r)
	}
	defer f.kill()
	if m == before {
		return nil, errKilled
	}
	held := r.Clone(context.WithoutCancel(r.Context()))
	if m == later && r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		held.Body = io.NopCloser(bytes.NewReader(text))
	}
	f.mu.Lock()
	f.held = held
	f.mu.Unlock()
	if m == after {
		f.deliver()
	}
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
