package repository

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/protection"
)

// reader is a stream that is being read.
type reader struct {
	ctx      context.Context
	use      *Use
	inner    *dedup.Reader
	name     string
	key      string
	manifest *format.Manifest
	at       int64
	// mended is where the index was brought up to date last; -1 is nowhere.
	mended int64
	closed bool
}

// reader begins to read a stream.
func (d *Domains) reader(ctx context.Context, name, key string, m *format.Manifest, offset int64) (*reader, error) {
	u, err := d.Use(ctx, m.Domain)
	if err != nil {
		return nil, fmt.Errorf("reading the data %s: %w", name, err)
	}
	r := &reader{ctx: ctx, use: u, name: name, key: key, manifest: m, at: min(offset, m.Size), mended: -1}
	if r.inner, err = u.Domain().Reader(ctx, key, r.at); err != nil {
		u.Done()
		return nil, broken(name, err)
	}
	return r, nil
}

// Summary implements protection.Reader.
func (r *reader) Summary() protection.Summary { return summary(r.manifest) }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.inner.Read(p)
		r.at += int64(n)
		switch {
		case n > 0:
			return n, nil // an error comes again
		case err == nil || err == io.EOF: //nolint:errorlint // an error of the bank that only wraps it is no end
			return n, err
		case !isDamage(err) || r.closed || r.mended == r.at:
			return 0, broken(r.name, lasting(err))
		}
		if mendErr := r.mend(); mendErr != nil {
			return 0, broken(r.name, errors.Join(err, mendErr))
		}
	}
}

// mend brings the index up to date and begins again where the reading ended: another process
// may have moved a chunk to another pack, or have written one since.
func (r *reader) mend() error {
	r.mended = r.at
	if err := r.use.Refresh(r.ctx); err != nil {
		return err
	}
	inner, err := r.use.Domain().Reader(r.ctx, r.key, r.at)
	if err != nil {
		return err
	}
	err = r.inner.Close()
	r.inner = inner
	return err
}

// lasting makes damage of what is not there: for who reads, nothing else is missing than bytes
// of the stream. What may pass, such as a bank that does not answer, stays as it is.
func lasting(err error) error {
	if _, damaged := errors.AsType[*format.DamageError](err); damaged || karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	return &format.DamageError{What: "pack", Why: err.Error()}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.inner.Close()
	r.use.Done()
	return err
}
