package repository

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
	"github.com/karbor/karbor/protection"
)

// writer is a stream that is being written to its project's domain.
type writer struct {
	use   *Use
	inner *dedup.Writer
	name  string
	key   string
	ended bool
	// sick says that the index cache was found damaged.
	sick bool
	// full says that the index cache can't be written.
	full bool
}

// writer begins a stream. It makes the project's domain if there is none yet.
func (d *Domains) writer(ctx context.Context, project, name, key string) (*writer, error) {
	u, err := d.use(ctx, d.Domain(project), true)
	if err != nil {
		return nil, err
	}
	inner, err := u.domain.write(ctx)
	if err != nil {
		u.Done()
		return nil, err
	}
	return &writer{use: u, inner: inner, name: name, key: key}, nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.inner.Write(p)
	return n, w.explain(err)
}

// ReadFrom implements io.ReaderFrom: io.Copy needs no buffer of its own.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.inner.ReadFrom(r)
	return n, w.explain(err)
}

// Hole adds n zero bytes without looking at them.
func (w *writer) Hole(n int64) error { return w.explain(w.inner.Hole(n)) }

// Updater is a writer that takes over what has not changed since an earlier stream of the same
// domain. The writers of Streams with Domains are some.
type Updater interface {
	protection.Writer
	// Update writes the whole of a stream of size bytes: see dedup.Writer.Update. The
	// earlier stream is data in a section, by its name.
	Update(ctx context.Context, source io.ReaderAt, size int64, previous *bank.Section, name string, changed []dedup.Extent) error
}

var _ Updater = (*writer)(nil)

// Update implements Updater.
func (w *writer) Update(ctx context.Context, source io.ReaderAt, size int64, previous *bank.Section, name string, changed []dedup.Extent) error {
	return w.explain(w.inner.Update(ctx, source, size, previous.Key(name+"/"+manifestName), changed))
}

func (w *writer) explain(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // an error of the bank that only wraps it is no end
		return err
	}
	if _, damaged := errors.AsType[*format.DamageError](err); damaged {
		// What writing reads is the cache, which can be read again, and an earlier stream, which
		// may be found elsewhere by a newer one.
		w.sick = true
		passing := karbor.Transientf("writing the data %s: the index is to be read again", w.name)
		passing.Cause = err
		return passing
	}
	if _, full := errors.AsType[*index.FolderError](err); full {
		w.full = true
	}
	if karbor.KindOf(err) == karbor.Conflict {
		// The session, or the index, was closed under the stream: it can be written again.
		passing := karbor.Transientf("writing the data %s: its key domain was closed", w.name)
		passing.Cause = err
		return passing
	}
	return fmt.Errorf("writing the data %s: %w", w.name, err)
}

// taken reports whether the stream has a manifest: one that this writer has not written.
func (w *writer) taken(ctx context.Context) bool {
	_, err := w.use.domain.owner.options.Bank.Stat(ctx, w.key)
	return err == nil
}

// errEnded is what a call after the end gets.
var errEnded = errors.New("the writer has ended")

// Commit implements protection.Writer.
func (w *writer) Commit(ctx context.Context) (protection.Summary, error) {
	if w.ended {
		return protection.Summary{}, w.explain(errEnded)
	}
	w.ended = true
	defer w.end(ctx)
	s, err := w.inner.Commit(ctx, w.key)
	if err != nil {
		w.inner.Abort()
		if karbor.KindOf(err) == karbor.Conflict && w.taken(ctx) {
			return protection.Summary{}, karbor.Errorf(karbor.Conflict, "another writer of the data %s has taken over", w.name)
		}
		return protection.Summary{}, w.explain(err)
	}
	return protection.Summary{Size: s.Size, New: s.New, Stored: s.Stored}, nil
}

// Abort implements protection.Writer. What was stored stays: who writes the same bytes again
// finds it there, and else the collector removes it.
func (w *writer) Abort(ctx context.Context) error {
	if !w.ended {
		w.ended = true
		w.inner.Abort()
		w.end(ctx)
	}
	return nil
}

// end gives the domain back, with its index read again if that was found damaged, and opened anew
// if that can't be written.
func (w *writer) end(ctx context.Context) {
	if w.full {
		w.use.domain.owner.retire(ctx, w.use.domain)
		w.sick = false
	}
	if w.sick {
		if err := w.use.Refresh(ctx); err != nil {
			w.use.domain.owner.logger.WarnContext(ctx, "a damaged index cache was not read again yet", "domain", w.use.domain.name, "error", err)
		}
	}
	w.use.Done()
}
