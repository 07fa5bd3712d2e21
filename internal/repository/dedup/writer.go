package dedup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// batchSize is how many bytes of a stream are cut and hashed at a time.
	batchSize = 4 << 20
	// batches is how many of them a writer holds in memory.
	batches = 6
)

// Summary describes a stream that was written.
type Summary struct {
	// Size is how many bytes the stream has.
	Size int64
	// New is how many of them had to be stored, before compression; the others are
	// holes, or were stored before.
	New int64
	// Stored is how many bytes were added to the bank.
	Stored int64
	// Chunks is how many chunks the stream has, NewChunks how many of them are new.
	Chunks, NewChunks int64
}

// Writer takes the bytes of one stream, in order. It is for one goroutine; it uses as
// many others as the domain's options say. It holds up to about 160 MiB of memory.
//
// The bytes go one road: the caller's goroutine cuts them into chunks, workers hash the
// chunks and look them up, one goroutine puts the new ones together in groups and all
// of them into pages, workers compress and encrypt the groups, one goroutine puts them
// into packs, and uploaders store these.
type Writer struct {
	domain   *Domain
	refs     References
	released bool
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    *errgroup.Group

	cutter *format.Cutter
	free   chan *batch
	now    *batch
	failed error

	hashing  chan *batch // to the workers
	inOrder  chan *batch // to the assembler
	sealing  chan *job   // to the workers
	sealed   chan *job   // to the packer
	uploads  chan *upload
	packBufs chan []byte

	// jobs are free ones. What holds a pool itself, and not a pointer, stays in memory for two
	// collections more, with all of its buffers.
	jobs   *sync.Pool
	flying flying
	totals totals
	root   format.Root
}

// totals are what the stages count.
type totals struct {
	mu      sync.Mutex
	summary Summary
	packs   []format.Pack // stored, and in no segment yet
	unnamed int64         // bytes of these
}

func (t *totals) add(fn func(*Summary)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn(&t.summary)
}

// Writer begins a stream. ctx bounds the whole of its writing. One of Commit and Abort
// must be called.
func (d *Domain) Writer(ctx context.Context) (*Writer, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &Writer{
		domain: d, cancel: cancel, cutter: format.NewCutter(0),
		free: make(chan *batch, batches), hashing: make(chan *batch, batches), inOrder: make(chan *batch, batches),
		sealing: make(chan *job, 2*d.options.Workers), sealed: make(chan *job, 2),
		uploads: make(chan *upload), packBufs: make(chan []byte, packsInMemory),
		jobs: &sync.Pool{}, flying: flying{ids: map[kindID]struct{}{}},
	}
	w.tasks, w.ctx = errgroup.WithContext(ctx)
	for range batches {
		w.free <- nil
	}
	for range packsInMemory {
		w.packBufs <- nil
	}
	workers := make([]*worker, d.options.Workers)
	for i := range workers {
		var err error
		if workers[i], err = newWorker(w); err != nil {
			cancel()
			return nil, err
		}
	}
	w.refs = d.references()
	w.start(workers)
	return w, nil
}

// start starts the stages. Each closes the next one's channel when it is done.
func (w *Writer) start(workers []*worker) {
	var running sync.WaitGroup
	running.Add(len(workers))
	for _, worker := range workers {
		w.tasks.Go(func() error {
			defer running.Done()
			return worker.run()
		})
	}
	w.tasks.Go(func() error {
		running.Wait()
		close(w.sealed)
		return nil
	})
	w.tasks.Go(func() error {
		defer close(w.sealing)
		return newAssembler(w).run()
	})
	w.tasks.Go(func() error {
		defer close(w.uploads)
		return newPacker(w).run()
	})
	for range uploaders {
		w.tasks.Go(w.upload)
	}
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if err := w.room(); err != nil {
			return n, err
		}
		k := copy(w.now.data[len(w.now.data):cap(w.now.data)], p[n:])
		w.now.data = w.now.data[:len(w.now.data)+k]
		n += k
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom: io.Copy then needs no buffer of its own.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	var n int64
	for {
		if err := w.room(); err != nil {
			return n, err
		}
		k, err := r.Read(w.now.data[len(w.now.data):cap(w.now.data)])
		w.now.data = w.now.data[:len(w.now.data)+k]
		n += int64(k)
		if err == io.EOF { // itself only: a broken connection may have it as its cause
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Hole adds n zero bytes without looking at them.
func (w *Writer) Hole(n int64) error {
	for n > 0 {
		if err := w.room(); err != nil {
			return err
		}
		at := w.cutter.Offset() + int64(len(w.now.data))
		if whole := n / format.Granule * format.Granule; whole > 0 && at%format.Granule == 0 {
			if err := w.flush(true); err != nil {
				return err
			}
			if err := w.skip(whole); err != nil {
				return err
			}
			n -= whole
			continue
		}
		k := int(min(n, format.Granule-at%format.Granule, int64(cap(w.now.data)-len(w.now.data))))
		from := len(w.now.data)
		w.now.data = w.now.data[:from+k]
		clear(w.now.data[from:])
		n -= int64(k)
	}
	return nil
}

// skip hands on a hole of whole granules that begins where the cutter is.
func (w *Writer) skip(n int64) error {
	if err := w.room(); err != nil {
		return err
	}
	b := w.now
	w.now = nil
	b.hole = n
	w.cutter = format.NewCutter(w.cutter.Offset() + n)
	return w.hand(b)
}

// room makes sure that there is a batch with room for at least one byte.
func (w *Writer) room() error {
	if w.failed != nil {
		return w.failed
	}
	if w.now != nil && len(w.now.data) == cap(w.now.data) {
		if err := w.flush(false); err != nil {
			return err
		}
	}
	if w.now != nil {
		return nil
	}
	select {
	case b := <-w.free:
		if b == nil {
			b = &batch{data: make([]byte, 0, batchSize+format.CutterNeeds)}
		}
		b.reset()
		w.now = b
		return nil
	case <-w.ctx.Done():
		return w.fail()
	}
}

// flush cuts what is in the batch, and hands it on. What the cutter can't decide on
// yet goes to the next one. end says that what follows is a hole, or nothing.
func (w *Writer) flush(end bool) error {
	b := w.now
	if b == nil {
		return nil
	}
	begin := 0
	for {
		n, hole := w.cutter.Next(b.data[begin:], end)
		if n == 0 {
			break
		}
		b.cuts = append(b.cuts, piece{begin: begin, end: begin + n, hole: hole})
		begin += n
	}
	rest := b.data[begin:]
	w.now = nil
	if len(rest) > 0 {
		if err := w.room(); err != nil {
			return err
		}
		w.now.data = append(w.now.data, rest...)
	}
	return w.hand(b)
}

// hand gives a batch to the workers and the assembler.
func (w *Writer) hand(b *batch) error {
	for _, to := range []chan *batch{w.inOrder, w.hashing} {
		select {
		case to <- b:
		case <-w.ctx.Done():
			return w.fail()
		}
	}
	return nil
}

// fail gives the error that ended the stages.
func (w *Writer) fail() error {
	if w.failed == nil {
		w.failed = w.stop()
		if w.failed == nil {
			w.failed = context.Cause(w.ctx)
		}
	}
	return w.failed
}

// stop ends the stages, and waits for them.
func (w *Writer) stop() error {
	w.cancel()
	return w.tasks.Wait()
}

// errEnded is what a call after the end gets.
var errEnded = errors.New("the stream has ended")

// Commit makes the stream complete and durable: its manifest lies under key, which
// must not be there yet. No call may follow.
func (w *Writer) Commit(ctx context.Context, key string) (Summary, error) {
	defer w.cancel()
	published := false
	defer func() { w.release(published) }()
	if w.failed != nil {
		return Summary{}, w.failed
	}
	if w.now != nil {
		if err := w.flush(true); err != nil {
			return Summary{}, err
		}
	}
	close(w.hashing)
	close(w.inOrder)
	w.failed = errEnded
	if err := w.tasks.Wait(); err != nil {
		w.failed = err
		return Summary{}, err
	}
	if err := w.publishSegment(ctx); err != nil {
		return Summary{}, err
	}
	m, err := w.domain.keys.SealManifest(w.domain.document, key, &w.root)
	if err != nil {
		return Summary{}, err
	}
	m.New, m.Stored = w.totals.summary.New, w.totals.summary.Stored
	err = w.refs.While(ctx, func(ctx context.Context) error {
		return bank.CreateJSON(ctx, w.domain.bank, key, m)
	})
	if err != nil {
		return Summary{}, fmt.Errorf("writing the manifest %s: %w", key, err)
	}
	published = true
	w.totals.summary.Size = w.root.Size
	return w.totals.summary, nil
}

// Abort gives the stream up. What was stored of it is found and used by whoever writes
// the same bytes again, or collected as garbage. It does nothing after Commit.
func (w *Writer) Abort() {
	if w.failed == nil {
		w.failed = errEnded
		// The stages' own error is of no interest any more.
		_ = w.stop()
	}
	w.release(false)
}

// release says that the stream has ended. sure is false if something of it may yet come.
func (w *Writer) release(sure bool) {
	if !w.released {
		w.released = true
		w.refs.End(sure)
		w.domain.buffers.put(w.packBufs)
	}
}

// known reports whether a chunk or page is stored, where the stream may refer to it.
func (w *Writer) known(kind format.Kind, id format.ID) (bool, error) {
	generation := w.refs.Generation()
	l, known, err := w.domain.options.Index.Find(kind, id)
	return known && w.refs.Refer(generation, l.Pack, kind), err
}
