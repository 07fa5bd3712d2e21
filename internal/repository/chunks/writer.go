package chunks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/protection"
)

const (
	// uploaders hash and store chunks at the same time.
	uploaders = 2
	// firstBuffer is the memory that a stream takes until it proves longer.
	firstBuffer = 64 << 10
)

// writer cuts a stream into chunks. While the caller fills one, one goroutine
// hashes the whole stream, and uploaders hash and store the chunks. A buffer is
// used again when both are done with it.
type writer struct {
	streams *Streams
	sub     *bank.Section
	name    string
	id      string

	ctx    context.Context // ends when a goroutine fails
	cancel context.CancelFunc
	group  *errgroup.Group
	free   chan []byte  // nil stands for a buffer yet to be made
	hashed chan *filled // to the goroutine that hashes the whole
	stored chan *filled // to the uploaders
	whole  hash.Hash    // owned by the hashing goroutine until it ends
	result []*filled    // in order; data is nil once it is done with
	buf    []byte       // the chunk that is being filled
	size   int64
	state  writerState
}

type writerState int

const (
	open writerState = iota
	stopped
	committed
	unsure // whether the manifest was written is not known
)

// filled is a full chunk, or the last one.
type filled struct {
	n       int
	data    []byte
	pending atomic.Int32 // goroutines that still read data
	chunk   chunk        // written by its uploader
}

func newWriter(ctx context.Context, c *Streams, sub *bank.Section, name, id string) *writer {
	ctx, cancel := context.WithCancel(ctx)
	w := &writer{streams: c, sub: sub, name: name, id: id, ctx: ctx, cancel: cancel, whole: sha256.New()}
	w.free = make(chan []byte, buffers)
	for range buffers {
		w.free <- nil
	}
	return w
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if err := w.room(len(p) - n); err != nil {
			return n, err
		}
		k := copy(w.buf[len(w.buf):cap(w.buf)], p[n:])
		w.buf = w.buf[:len(w.buf)+k]
		n += k
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom: io.Copy needs no buffer of its own.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	var n int64
	for {
		if err := w.room(1); err != nil {
			return n, err
		}
		k, err := r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+k]
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// room makes sure that the buffer can take at least one more byte; want is how
// many would be nice.
func (w *writer) room(want int) error {
	if w.state != open {
		return errors.New("writing to a writer that has ended")
	}
	if err := w.ctx.Err(); err != nil {
		return w.failure()
	}
	if len(w.buf) == w.streams.chunkSize {
		if err := w.dispatch(); err != nil {
			return err
		}
	}
	if w.buf == nil {
		select {
		case w.buf = <-w.free:
		case <-w.ctx.Done():
			return w.failure()
		}
		if w.buf == nil {
			size := w.streams.chunkSize
			if len(w.result) == 0 {
				size = min(size, firstBuffer)
			}
			w.buf = make([]byte, 0, size)
		}
	}
	if len(w.buf) == cap(w.buf) {
		grown := make([]byte, len(w.buf), min(w.streams.chunkSize, max(4*cap(w.buf), len(w.buf)+want)))
		copy(grown, w.buf)
		w.buf = grown
	}
	return nil
}

// failure gives what ended the context: a goroutine's error, or the caller.
func (w *writer) failure() error {
	return fmt.Errorf("writing the data %s: %w", w.name, context.Cause(w.ctx))
}

// dispatch hands the buffer on to the goroutines.
func (w *writer) dispatch() error {
	if w.group == nil {
		w.start()
	}
	if len(w.result) == maxChunks {
		return karbor.Errorf(karbor.Invalid, "the data %s is longer than %d bytes, the most that can be kept of one volume or image",
			w.name, int64(maxChunks)*int64(w.streams.chunkSize))
	}
	f := &filled{n: len(w.result) + 1, data: w.buf}
	f.pending.Store(2)
	w.size += int64(len(w.buf))
	w.result = append(w.result, f)
	w.buf = nil
	for _, queue := range []chan *filled{w.hashed, w.stored} {
		select {
		case queue <- f:
		case <-w.ctx.Done():
			return w.failure()
		}
	}
	return nil
}

func (w *writer) start() {
	w.group, w.ctx = errgroup.WithContext(w.ctx)
	w.hashed, w.stored = make(chan *filled, buffers), make(chan *filled, buffers)
	w.group.Go(func() error {
		for f := range w.hashed {
			_, _ = w.whole.Write(f.data) // never fails: see hash.Hash
			w.done(f)
		}
		return nil
	})
	for range uploaders {
		w.group.Go(func() error {
			for f := range w.stored {
				if err := w.store(f); err != nil {
					return fmt.Errorf("storing chunk %d: %w", f.n, err)
				}
				w.done(f)
			}
			return nil
		})
	}
}

// done gives the buffer back when the last goroutine is done with it.
func (w *writer) done(f *filled) {
	if f.pending.Add(-1) == 0 {
		w.free <- f.data[:0] // has room for every buffer
		f.data = nil
	}
}

// store hashes and stores a chunk, unless it is all zeros.
func (w *writer) store(f *filled) error {
	f.chunk.Size = len(f.data)
	if allZero(f.data) {
		f.chunk.Zero = true
		return nil
	}
	sum := sha256.Sum256(f.data)
	f.chunk.SHA256 = hex.EncodeToString(sum[:])
	return w.sub.Create(w.ctx, chunkKey(w.id, f.n), bytes.NewReader(f.data), int64(len(f.data)))
}

var zeros [64 << 10]byte

func allZero(data []byte) bool {
	for len(data) > len(zeros) {
		if !bytes.Equal(data[:len(zeros)], zeros[:]) {
			return false
		}
		data = data[len(zeros):]
	}
	return bytes.Equal(data, zeros[:len(data)])
}

// Commit implements protection.Writer.
func (w *writer) Commit(ctx context.Context) (protection.Summary, error) {
	if w.state != open {
		return protection.Summary{}, errors.New("committing a writer that has ended")
	}
	var err error
	if len(w.buf) > 0 {
		err = w.dispatch()
	}
	err = errors.Join(w.stop(), err)
	w.cancel()
	if err != nil {
		return protection.Summary{}, fmt.Errorf("writing the data %s: %w", w.name, err)
	}
	m := &manifest{
		Format: format, Writer: w.id, Size: w.size, SHA256: hex.EncodeToString(w.whole.Sum(nil)),
		ChunkSize: w.streams.chunkSize, Chunks: make([]chunk, 0, len(w.result)),
	}
	for _, f := range w.result {
		m.Chunks = append(m.Chunks, f.chunk)
	}
	if err := w.checkFirst(ctx, m); err != nil {
		return protection.Summary{}, err
	}
	w.state = unsure
	if err := w.streams.publish(ctx, w.sub, w.name, m); err != nil {
		if karbor.KindOf(err) == karbor.Conflict {
			w.state = stopped // another writer's manifest is there, and so ours is not
		}
		return protection.Summary{}, fmt.Errorf("committing the data %s: %w", w.name, err)
	}
	w.state = committed
	return m.summary(), nil
}

// checkFirst reports that a later writer of the same name has removed the chunks
// of this one; it removes the first one first.
func (w *writer) checkFirst(ctx context.Context, m *manifest) error {
	for i, c := range m.Chunks {
		if c.Zero {
			continue
		}
		body, err := w.sub.Get(ctx, chunkKey(w.id, i+1), 0, 1)
		if karbor.KindOf(err) == karbor.NotFound {
			return karbor.Errorf(karbor.Conflict, "another writer of the data %s has taken over", w.name)
		}
		if err != nil {
			return fmt.Errorf("committing the data %s: %w", w.name, err)
		}
		return body.Close()
	}
	return nil
}

// stop waits for the goroutines to finish what they have.
func (w *writer) stop() error {
	w.state = stopped
	if w.group == nil {
		return w.ctx.Err()
	}
	close(w.hashed)
	close(w.stored)
	return w.group.Wait()
}

// Abort implements protection.Writer.
func (w *writer) Abort(ctx context.Context) error {
	w.cancel()
	if w.state == open {
		_ = w.stop() // what it failed with has been told, or is the cancel
	}
	w.buf = nil
	if w.state != stopped {
		return nil
	}
	own, err := w.sub.Sub(w.id)
	if err == nil {
		err = own.Clear(ctx)
	}
	if err != nil {
		return fmt.Errorf("removing the unfinished data %s: %w", w.name, err)
	}
	return nil
}
