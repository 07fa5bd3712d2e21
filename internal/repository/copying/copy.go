package copying

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Stream is a stream to copy.
type Stream struct {
	// From and To are the keys of its manifest, in the source's bank and in the target's.
	From, To string
}

// Options of Streams.
type Options struct {
	// Progress is told how far the copy is; nil is nobody. One call ends before the next begins.
	Progress func(Progress)
	// Landed is told of each pack that has travelled whole, once it is in the target; nil is
	// nobody. It is called concurrently, and the copy waits for it.
	Landed func(ctx context.Context, kind format.Kind, name format.Name)
}

// Progress tells how far a copy is.
type Progress struct {
	// Streams is how many are in the target, and OfStreams how many there will be.
	Streams, OfStreams int
	// Bytes is how many were written to the target's bank.
	Bytes int64
}

// Result says what a copy did.
type Result struct {
	// Undecoded says that what is stored travelled as it is.
	Undecoded bool
	// Present is how many streams the target had already.
	Present int
	// Size is the bytes of the other streams.
	Size int64
	// Packs is how many packs travelled whole, and Groups how many groups did in others.
	Packs, Groups int
	// Bytes is how many were written to the target's bank.
	Bytes int64
}

// Streams copies streams from one domain to another; to is one for writing, and both indices
// have been loaded. A stream whose manifest the target has is not copied again, and must have
// the same size, or else it is karbor.Conflict. Damage of the source is a *format.DamageError,
// and nothing that is damaged gets to the target. It may be broken off at any time, and done
// again.
func Streams(ctx context.Context, from, to *dedup.Domain, streams []Stream, o Options) (Result, error) {
	c := &copier{from: from, to: to, options: o}
	c.result.Undecoded = Same(from, to)
	for i, s := range streams {
		if err := c.stream(ctx, s); err != nil {
			return c.result, fmt.Errorf("copying %s: %w", s.From, err)
		}
		c.tell(i+1, len(streams))
	}
	return c.result, nil
}

// copier is one copy.
type copier struct {
	from, to *dedup.Domain
	options  Options
	result   Result
	done, of int
}

func (c *copier) tell(done, of int) {
	c.done, c.of = done, of
	c.told()
}

func (c *copier) told() {
	if c.options.Progress != nil {
		c.options.Progress(Progress{c.done, c.of, c.result.Bytes})
	}
}

func (c *copier) stream(ctx context.Context, s Stream) error {
	root, err := c.from.Root(ctx, s.From)
	if err != nil {
		return err
	}
	there, err := c.to.Root(ctx, s.To)
	switch {
	case err == nil && there.Size == root.Size && (!c.result.Undecoded || slices.Equal(there.Pages, root.Pages)):
		c.result.Present++
		return nil
	case err == nil:
		return karbor.Errorf(karbor.Conflict, "there is another stream under %s already", s.To)
	case karbor.KindOf(err) != karbor.NotFound:
		return err
	}
	if c.result.Undecoded {
		err = c.undecoded(ctx, root, s.To)
	} else {
		err = c.anew(ctx, s)
	}
	if err == nil {
		c.result.Size += root.Size
	}
	return err
}

// anew reads a stream and writes it under the other key.
func (c *copier) anew(ctx context.Context, s Stream) error {
	r, err := c.from.Reader(ctx, s.From, 0)
	if err != nil {
		return err
	}
	w, err := c.to.Writer(ctx)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	n, err := io.Copy(w, r)
	if err == nil && n != r.Size() {
		err = fmt.Errorf("copying the stream %s: %d bytes of %d came", s.From, n, r.Size())
	}
	if err = errors.Join(err, r.Close()); err != nil {
		w.Abort()
		return err
	}
	written, err := w.Commit(ctx, s.To)
	c.result.Bytes += written.Stored
	return err
}

// publish writes the manifest of a stream.
func (c *copier) publish(ctx context.Context, refs dedup.References, root *format.Root, key string, size int64) error {
	m, err := c.to.Keys().SealManifest(c.to.Document(), key, root)
	if err != nil {
		return err
	}
	m.Stored = size
	err = refs.While(ctx, func(ctx context.Context) error { return bank.CreateJSON(ctx, c.to.Bank(), key, m) })
	if err != nil {
		return fmt.Errorf("writing the manifest %s: %w", key, err)
	}
	return nil
}
