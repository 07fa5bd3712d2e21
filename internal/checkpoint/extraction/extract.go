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

	"github.com/karbor/karbor/protection"
)

// Extracted is what was written.
type Extracted struct {
	// Size is the stream's, in bytes; Written is how many of them were written, as the
	// others are holes of the file.
	Size    int64 `json:"size"`
	Written int64 `json:"written"`
	// SHA256 is the digest of the stream, in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
}

// block is what a hole is made of, in bytes; buffered is how much is read at a time.
const (
	block    = 64 << 10
	buffered = 16 * block
)

// Extract writes the stream of a name to a target: all of it, or the error says why
// not, and then a regular file is as it was before. progress, if not nil, hears of the
// bytes that are done.
func Extract(ctx context.Context, from protection.Repository, name string, to Target, progress func(done, total int64)) (Extracted, error) {
	r, err := from.Open(ctx, name)
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
	out.Written, out.SHA256, err = pour(ctx, r, s, size, progress)
	if err == nil {
		if want := r.Summary().SHA256; want != "" && want != out.SHA256 {
			err = fmt.Errorf("the digest of the stream is %s, and %s was written", want, out.SHA256)
		}
	}
	if err != nil {
		return Extracted{}, errors.Join(fmt.Errorf("extracting the stream %s: %w", name, err), s.abort())
	}
	return out, s.finish(size)
}

// sink takes a stream in order.
type sink interface {
	// write takes bytes, skip zero bytes.
	write(p []byte) error
	skip(n int64) error
	// holes reports whether skipping saves anything.
	holes() bool
	// finish makes what was written durable and visible; abort gives it up.
	finish(size int64) error
	abort() error
}

// pour moves a stream of a size into a sink.
func pour(ctx context.Context, r io.Reader, to sink, size int64, progress func(done, total int64)) (written int64, digest string, err error) {
	sum := sha256.New()
	buf, zero := make([]byte, buffered), make([]byte, block)
	var done int64
	for {
		if err := ctx.Err(); err != nil {
			return written, "", err
		}
		n, err := io.ReadFull(r, buf)
		_, _ = sum.Write(buf[:n]) // never fails: see hash.Hash
		data, writeErr := put(to, buf[:n], zero)
		written += data
		done += int64(n)
		if progress != nil {
			progress(done, size)
		}
		switch {
		case writeErr != nil:
			return written, "", fmt.Errorf("after %d bytes: %w", done, writeErr)
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			if done != size {
				return written, "", fmt.Errorf("it ends after %d bytes, and should have %d", done, size)
			}
			return written, hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return written, "", fmt.Errorf("after %d bytes: %w", done, err)
		}
	}
}

// put moves bytes into a sink, and tells how many of them were written.
func put(to sink, p, zero []byte) (written int64, err error) {
	for len(p) > 0 {
		length, isZero := run(p, zero)
		if isZero && to.holes() {
			err = to.skip(int64(length))
		} else {
			err = to.write(p[:length])
			written += int64(length)
		}
		if err != nil {
			return written, err
		}
		p = p[length:]
	}
	return written, nil
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
