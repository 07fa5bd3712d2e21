package dedup

import (
	"slices"
	"sync"

	"github.com/karbor/karbor/internal/repository/format"
)

// batch is a part of a stream: bytes with their cuts, a hole, or what is taken over from
// another stream.
type batch struct {
	data []byte
	cuts []piece
	hole int64
	// taken are entries of another stream, of chunks that are known to be stored.
	taken []format.Entry
	// done is closed when all chunks have their ids.
	done chan struct{}
}

// piece is a chunk or a hole within a batch.
type piece struct {
	begin, end int
	hole       bool
	id         format.ID
	// known says that the chunk was found in the index.
	known bool
}

func (b *batch) reset() {
	b.data, b.cuts, b.hole, b.taken = b.data[:0], b.cuts[:0], 0, b.taken[:0]
	b.done = make(chan struct{})
}

// job is a group on its way into a pack.
type job struct {
	kind   format.Kind
	raw    []byte
	chunks []format.Chunk
	stored []byte
}

// newJob gives a job, with the buffers of one that is done if there is one: they are
// large.
func (w *Writer) newJob(kind format.Kind) *job {
	j, ok := w.jobs.Get().(*job)
	if !ok {
		j = &job{}
	}
	j.kind, j.raw, j.chunks = kind, j.raw[:0], nil
	return j
}

// flying are the chunks and pages that are on their way and not in the index yet.
type flying struct {
	mu  sync.Mutex
	ids map[kindID]struct{}
}

// enter reports whether the id is new here.
func (f *flying) enter(kind format.Kind, id format.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := kindID{kind, id}
	_, there := f.ids[key]
	f.ids[key] = struct{}{}
	return !there
}

func (f *flying) leave(kind format.Kind, id format.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, kindID{kind, id})
}

func (f *flying) landed(kind format.Kind, groups []format.Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range groups {
		for _, c := range groups[i].Chunks {
			delete(f.ids, kindID{kind, c.ID})
		}
	}
}

// worker hashes batches, and compresses and encrypts groups.
type worker struct {
	w          *Writer
	hasher     *format.Hasher
	compressor *format.Compressor
	scratch    []byte
}

func newWorker(w *Writer) (*worker, error) {
	c, err := format.NewCompressor(w.domain.options.Compression)
	return &worker{w: w, hasher: w.domain.keys.ChunkHasher(), compressor: c}, err
}

func (k *worker) run() error {
	hashing, sealing := k.w.hashing, k.w.sealing
	for hashing != nil || sealing != nil {
		select {
		case b, more := <-hashing:
			if !more {
				hashing = nil
				continue
			}
			if err := k.hash(b); err != nil {
				return err
			}
		case j, more := <-sealing:
			if !more {
				sealing = nil
				continue
			}
			if err := k.seal(j); err != nil {
				return err
			}
		case <-k.w.ctx.Done():
			return k.w.ctx.Err()
		}
	}
	return nil
}

func (k *worker) hash(b *batch) error {
	for i := range b.cuts {
		p := &b.cuts[i]
		if p.hole {
			continue
		}
		p.id = k.hasher.ID(b.data[p.begin:p.end])
		var err error
		if p.known, err = k.w.known(format.Data, p.id); err != nil {
			return err
		}
	}
	close(b.done)
	return nil
}

func (k *worker) seal(j *job) error {
	var err error
	j.stored, k.scratch, err = k.w.domain.keys.SealGroup(slices.Grow(j.stored[:0], len(j.raw)+1024), k.scratch, k.compressor, j.kind, j.raw)
	if err != nil {
		return err
	}
	select {
	case k.w.sealed <- j:
		return nil
	case <-k.w.ctx.Done():
		return k.w.ctx.Err()
	}
}
