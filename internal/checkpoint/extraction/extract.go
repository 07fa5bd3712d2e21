// Package extraction writes one stream of a bank into a file, a block device or a pipe.
// It needs nothing but the stream's repository: no service, database or cloud.
package extraction

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor/protection"
)

// Extracted is what was written.
type Extracted struct {
	// Size is the stream's, in bytes; Written is how many of them were written, as the
	// others are holes of the file.
	Size    int64 `json:"size"`
	Written int64 `json:"written"`
	// SHA256 is the digest of the stream, in lower-case hexadecimal; "" if nobody asked for it.
	SHA256 string `json:"sha256"`
}

// block is what a hole is made of, in bytes; buffered is how much is read at a time, and
// writers is how many writes to a disk are on their way at once.
const (
	block    = 64 << 10
	buffered = 16 * block
	writers  = 4
)

// Extract writes the stream of a name to a target: all of it, or the error says why
// not, and then a regular file is as it was before. progress, if not nil, hears of the
// bytes that are done.
func Extract(ctx context.Context, repository protection.Repository, name string, to Target, progress func(done, total int64)) (Extracted, error) {
	r, err := repository.Open(ctx, name)
	if err != nil {
		return Extracted{}, fmt.Errorf("opening the stream %s: %w", name, err)
	}
	defer r.Close()
	size := r.Summary().Size
	s, err := to.open(size)
	if err != nil {
		return Extracted{}, err
	}
	out := Extracted{Size: size}
	want, sum, from := r.Summary().SHA256, sha256.New(), io.Reader(r)
	digested := want != "" || !to.NoDigest
	if digested {
		from = io.TeeReader(r, sum)
	}
	out.Written, err = pour(ctx, from, s, size, progress)
	if digested && err == nil {
		out.SHA256 = hex.EncodeToString(sum.Sum(nil))
		if want != "" && want != out.SHA256 {
			err = fmt.Errorf("the digest of the stream is %s, and %s was written", want, out.SHA256)
		}
	}
	if err != nil {
		return Extracted{}, errors.Join(fmt.Errorf("extracting the stream %s: %w", name, err), s.abort())
	}
	return out, s.finish()
}

// sink takes a stream.
type sink interface {
	// write takes the bytes of a place. They come in order where the depth is 1.
	write(p []byte, at int64) error
	// depth is how many buffers are written at the same time.
	depth() int
	// holes reports whether zero bytes need not be written.
	holes() bool
	// finish makes what was written durable and visible; abort gives it up.
	finish() error
	abort() error
}

// pour moves a stream of a size into a sink.
func pour(ctx context.Context, r io.Reader, to sink, size int64, progress func(done, total int64)) (written int64, err error) {
	p := pourer{to: to, free: make(chan []byte, to.depth())}
	for range to.depth() {
		buf, err := newBuffer(buffered)
		if err != nil {
			return 0, fmt.Errorf("making a buffer: %w", err)
		}
		defer func() { _ = dropBuffer(buf) }() // after the last of its writes
		p.free <- buf
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	p.tasks, ctx = errgroup.WithContext(ctx)
	read, err := p.read(ctx, r, func() { progress(p.done.Load(), size) })
	if wrong := p.tasks.Wait(); wrong != nil {
		err = wrong // it has ended the reading, too
	}
	if err != nil {
		return p.written.Load(), err
	}
	progress(p.done.Load(), size)
	if read != size {
		return p.written.Load(), fmt.Errorf("it ends after %d bytes, and should have %d", read, size)
	}
	return p.written.Load(), nil
}

// pourer writes buffers that are read, while the next ones are.
type pourer struct {
	to            sink
	free          chan []byte
	tasks         *errgroup.Group
	done, written atomic.Int64
}

// read reads the stream to its end, and has it written. It gives how many bytes it has.
func (p *pourer) read(ctx context.Context, r io.Reader, progress func()) (at int64, err error) {
	for {
		var buf []byte
		select {
		case buf = <-p.free:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return at, err
		}
		progress()
		n, err := io.ReadFull(r, buf)
		offset := at
		at += int64(n)
		p.tasks.Go(func() error {
			defer func() { p.free <- buf }()
			return p.put(buf[:n], offset)
		})
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return at, nil
		case err != nil:
			return at, fmt.Errorf("after %d bytes: %w", at, err)
		}
	}
}

// zeros are what holes are compared with.
var zeros [block]byte

// put writes the bytes of a place, but for what may be a hole.
func (p *pourer) put(b []byte, at int64) error {
	for len(b) > 0 {
		length, isZero := run(b, zeros[:])
		if !isZero || !p.to.holes() {
			if err := p.to.write(b[:length], at); err != nil {
				return fmt.Errorf("writing at %d: %w", at, err)
			}
			p.written.Add(int64(length))
		}
		b, at = b[length:], at+int64(length)
		p.done.Add(int64(length))
	}
	return nil
}

// run tells how long the begin of p is zero, or not zero, in whole blocks.
func run(p, zero []byte) (length int, isZero bool) {
	for at := 0; at < len(p); at += block {
		one := p[at:min(at+block, len(p))]
		if z := bytes.Equal(one, zero[:len(one)]); at == 0 {
			isZero = z
		} else if z != isZero {
			return at, isZero
		}
	}
	return len(p), isZero
}
