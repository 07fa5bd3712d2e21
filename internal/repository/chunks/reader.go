package chunks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/protection"
)

// reader gives a stream's bytes. One goroutine starts fetching chunks as buffers
// get free, each fetch checks its chunk's digest, one goroutine hashes the whole
// in order, and the caller gets what has passed both.
type reader struct {
	section  *bank.Section
	name     string
	manifest *manifest

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	free   chan []byte
	ready  chan fetched

	skip    int // bytes of the first chunk that the caller does not want
	current []byte
	rest    []byte // of current
	err     error
}

// fetched is a chunk, or why it can't be had.
type fetched struct {
	data []byte
	err  error
}

func newReader(ctx context.Context, section *bank.Section, name string, m *manifest, offset int64) *reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{
		section: section, name: name, manifest: m, ctx: ctx, cancel: cancel,
		free: make(chan []byte, buffers), ready: make(chan fetched),
		skip: int(offset % int64(m.ChunkSize)),
	}
	for range buffers {
		r.free <- nil
	}
	first := int(offset / int64(m.ChunkSize))
	slots := make(chan chan fetched, buffers)
	r.wg.Go(func() { r.fetchAll(first, slots) })
	r.wg.Go(func() { r.checkAll(first == 0 && r.skip == 0, slots) })
	return r
}

// Summary implements protection.Reader.
func (r *reader) Summary() protection.Summary { return r.manifest.summary() }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		data, err := r.next()
		if err != nil {
			return 0, err
		}
		r.rest = data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: io.Copy needs no buffer of its own.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for {
		if len(r.rest) == 0 {
			data, err := r.next()
			if err == io.EOF { //nolint:errorlint // an error of the bank that only wraps it is no end
				return n, nil
			}
			if err != nil {
				return n, err
			}
			r.rest = data
		}
		k, err := w.Write(r.rest)
		n += int64(k)
		r.rest = r.rest[k:]
		if err != nil {
			return n, err
		}
	}
}

// next gives the next chunk, valid until the next call.
func (r *reader) next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.current != nil {
		r.free <- r.current // has room for every buffer
		r.current = nil
	}
	f, more := <-r.ready
	switch {
	case r.ctx.Err() != nil:
		r.err = r.ctx.Err()
	case !more:
		r.err = io.EOF
	default:
		r.err = f.err
	}
	if r.err != nil {
		return nil, r.err
	}
	r.current = f.data
	skipped := f.data[r.skip:]
	r.skip = 0
	return skipped, nil
}

// Close implements io.Closer. It waits for the goroutines.
func (r *reader) Close() error {
	r.cancel()
	for range r.ready { // until it is closed
	}
	r.wg.Wait()
	if r.err == nil {
		r.err = fmt.Errorf("reading the data %s after its end: %w", r.name, io.ErrClosedPipe)
	}
	r.current, r.rest = nil, nil
	return nil
}

// fetchAll starts the fetches, in order, each into a slot of its own.
func (r *reader) fetchAll(first int, slots chan<- chan fetched) {
	defer close(slots)
	for i := first; i < len(r.manifest.Chunks); i++ {
		var buf []byte
		select {
		case buf = <-r.free:
		case <-r.ctx.Done():
			return
		}
		slot := make(chan fetched, 1)
		r.wg.Go(func() {
			data, err := r.fetch(i, buf)
			slot <- fetched{data, err}
		})
		slots <- slot // has room for every buffer
	}
}

// checkAll hands the chunks on in order, after hashing the whole if wanted.
func (r *reader) checkAll(whole bool, slots <-chan chan fetched) {
	defer close(r.ready)
	sum := sha256.New()
	left := r.manifest.Size
	for slot := range slots {
		f := <-slot
		if f.err == nil && whole {
			_, _ = sum.Write(f.data) // never fails: see hash.Hash
			left -= int64(len(f.data))
			if got := hex.EncodeToString(sum.Sum(nil)); left == 0 && got != r.manifest.SHA256 {
				f = fetched{err: r.broken("the whole", "has the SHA-256 "+got+" and not "+r.manifest.SHA256)}
			}
		}
		select {
		case r.ready <- f:
		case <-r.ctx.Done():
			return
		}
		if f.err != nil {
			return
		}
	}
	if want := hex.EncodeToString(sum.Sum(nil)); whole && r.manifest.Size == 0 && want != r.manifest.SHA256 {
		select {
		case r.ready <- fetched{err: r.broken("the whole", "is empty and has another SHA-256")}:
		case <-r.ctx.Done():
		}
	}
}

// fetch reads chunk i, counted from 0, into buf or a new buffer, and checks it.
func (r *reader) fetch(i int, buf []byte) ([]byte, error) {
	c := r.manifest.Chunks[i]
	if cap(buf) < c.Size {
		buf = make([]byte, c.Size)
	}
	buf = buf[:c.Size]
	if c.Zero {
		clear(buf)
		return buf, nil
	}
	which := fmt.Sprintf("chunk %d", i+1)
	body, err := r.section.Get(r.ctx, r.name+"/"+chunkKey(r.manifest.Writer, i+1), 0, int64(c.Size)+1)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, r.broken(which, "is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s of the data %s: %w", which, r.name, err)
	}
	defer func() { _ = body.Close() }()
	n, err := io.ReadFull(body, buf)
	if err == io.ErrUnexpectedEOF || err == io.EOF { //nolint:errorlint // the reader's own; a bank's error only wraps them
		return nil, r.broken(which, fmt.Sprintf("has %d bytes and not %d", n, c.Size))
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s of the data %s: %w", which, r.name, err)
	}
	if n, _ := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return nil, r.broken(which, fmt.Sprintf("has more than %d bytes", c.Size))
	}
	if sum := sha256.Sum256(buf); hex.EncodeToString(sum[:]) != c.SHA256 {
		return nil, r.broken(which, "has wrong bytes")
	}
	return buf, nil
}

// broken is the error of data that is not what was written.
func (r *reader) broken(which, what string) error {
	return broken(r.name, which+" "+what)
}
