package verification

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// tailSize is how much of the end of a pack is read to find its directory: most have it
// in that.
const tailSize = 128 << 10

// checker looks at packs, one at a time. It is for one goroutine.
type checker struct {
	bank   bank.Bank
	domain string
	// keys, and what they are used with, are nil where only Stored is asked for.
	keys         *format.Keys
	decompressor *format.Decompressor
	hashers      map[format.Kind]*format.Hasher
	limiter      *rate.Limiter

	stored, raw, body, tail []byte
	buffer                  [burst]byte
}

func newChecker(b bank.Bank, domain string, keys *format.Keys, limiter *rate.Limiter) (*checker, error) {
	c := &checker{bank: b, domain: domain, keys: keys, limiter: limiter}
	if keys == nil {
		return c, nil
	}
	var err error
	if c.decompressor, err = format.NewDecompressor(); err != nil {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	c.hashers = map[format.Kind]*format.Hasher{format.Data: keys.ChunkHasher(), format.Pages: keys.PageHasher()}
	return c, nil
}

func (c *checker) close() {
	if c.decompressor != nil {
		c.decompressor.Close()
	}
}

// errEnds is the error of an object that is shorter than the bank said.
var errEnds = errors.New("it ends early")

// Look reads a pack of a domain back, and notes in a State that it is good as with Stored. Of
// one that is not, or that can't be read now, it says nothing: a verification will.
func Look(ctx context.Context, b bank.Bank, domain string, kind format.Kind, name format.Name, state *State, now func() time.Time) {
	c, err := newChecker(b, domain, nil, nil)
	if err != nil {
		return
	}
	defer c.close()
	p := packID{kind, name}
	if _, found, err := c.pack(ctx, p, Stored, 0); err == nil && found == nil {
		state.found(p, Stored, now())
	}
}

// pack looks at a pack. end is where its groups must at least reach to, for what the index
// tells of it. What is wrong with it is the Damage; the error is of the bank, and says
// nothing of the pack. size is what was looked at.
func (c *checker) pack(ctx context.Context, p packID, depth Depth, end int64) (size int64, found *Damage, err error) {
	key := dedup.PackKey(c.domain, p.kind, p.name)
	d := &Damage{Key: key, Kind: p.kind, Pack: p.name}
	info, err := c.bank.Stat(ctx, key)
	if err == nil {
		switch depth {
		case Quick:
			err = c.quick(ctx, key, info.Size, end)
		case Stored:
			err = c.bytes(ctx, p, info.Size)
		default:
			err = c.whole(ctx, p, info.Size, d)
		}
	}
	if _, damaged := errors.AsType[*format.DamageError](err); damaged {
		d.Why = err.Error()
		return info.Size, d, nil
	}
	switch {
	case err == nil:
		return info.Size, nil, nil
	case errors.Is(err, errEnds):
		d.Why = "it has fewer bytes than its bank says"
	case karbor.KindOf(err) == karbor.NotFound:
		d.Missing, d.Why = true, "it is not there"
	default:
		return 0, nil, fmt.Errorf("verifying the pack %s: %w", key, err)
	}
	return info.Size, d, nil
}

func damage(what, why string, args ...any) error {
	return &format.DamageError{What: what, Why: fmt.Sprintf(why, args...)}
}

// quick looks at the end of a pack, which says how long it must be.
func (c *checker) quick(ctx context.Context, key string, size, end int64) error {
	_, offset, _, err := c.trailer(ctx, key, size, format.PackTrailer)
	if err == nil && end > offset {
		return damage("pack", "its groups end at %d, and the index tells of one that ends at %d", offset, end)
	}
	return err
}

// trailer reads the end of a pack, n bytes or all of it, and where its directory is.
func (c *checker) trailer(ctx context.Context, key string, size, n int64) (tail []byte, offset int64, length int, err error) {
	n = min(n, size)
	if n < format.PackTrailer || size > format.MaxPack {
		return nil, 0, 0, damage("pack", "it has %d bytes", size)
	}
	if c.tail, err = c.read(ctx, c.tail, key, size-n, n); err != nil {
		return nil, 0, 0, err
	}
	offset, length, err = format.FindDirectory(c.tail[n-format.PackTrailer:], size)
	return c.tail, offset, length, err
}

// read reads a range of an object into buf, or a larger one.
func (c *checker) read(ctx context.Context, buf []byte, key string, offset, n int64) ([]byte, error) {
	r, err := c.open(ctx, key, offset, n)
	if err != nil {
		return buf, err
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	return buf, errors.Join(full(r, buf), r.Close())
}

// full fills buf. An early end is errEnds.
func full(r io.Reader, buf []byte) error {
	_, err := io.ReadFull(r, buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // ReadFull's own; a bank's error only wraps them
		return errEnds
	}
	return err
}

// open opens a range of an object, to be read as fast as the run may.
func (c *checker) open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	r, err := c.bank.Get(ctx, key, offset, n)
	if err != nil || c.limiter == nil {
		return r, err
	}
	return &throttled{ReadCloser: r, ctx: ctx, limiter: c.limiter}, nil
}

// throttled is a reader with a limit.
type throttled struct {
	io.ReadCloser
	ctx     context.Context
	limiter *rate.Limiter
}

// Read implements io.Reader.
func (t *throttled) Read(p []byte) (int, error) {
	p = p[:min(len(p), burst)]
	if err := t.limiter.WaitN(t.ctx, len(p)); err != nil {
		return 0, err
	}
	return t.ReadCloser.Read(p)
}

// bytes compares the hash of a pack with its name.
func (c *checker) bytes(ctx context.Context, p packID, size int64) error {
	r, err := c.open(ctx, dedup.PackKey(c.domain, p.kind, p.name), 0, -1)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, onlyReader{r}, c.buffer[:])
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	return asNamed(p, sum, n, size)
}

// onlyReader hides what else a reader can do, so that the buffer is used.
type onlyReader struct{ io.Reader }

// asNamed compares what was read of a pack with its size and name.
func asNamed(p packID, sum hash.Hash, n, size int64) error {
	if n < size {
		return errEnds
	}
	if !bytes.Equal(sum.Sum(nil), p.name[:]) {
		return damage("pack", "its %d bytes have another name", n)
	}
	return nil
}

// whole reads a pack once: its hash, its head, its directory, and each chunk of each group.
// The first fault is the error; the chunks that are damaged go into found.
func (c *checker) whole(ctx context.Context, p packID, size int64, found *Damage) error {
	key := dedup.PackKey(c.domain, p.kind, p.name)
	groups, failed := c.directory(ctx, key, p.kind, size)
	if _, damaged := errors.AsType[*format.DamageError](failed); failed != nil && !damaged {
		return failed
	}
	r, err := c.open(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	sum := sha256.New()
	in := io.TeeReader(r, sum)
	err = c.groups(in, p.kind, groups, found, &failed)
	var rest int64
	if err == nil {
		rest, err = io.CopyBuffer(io.Discard, onlyReader{in}, c.buffer[:])
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	at := int64(len(c.head()))
	for i := range groups {
		at += int64(groups[i].Stored)
	}
	if err := asNamed(p, sum, at+rest, size); err != nil && failed == nil {
		return err
	}
	return failed
}

// head is room for the first bytes of a pack.
func (c *checker) head() []byte { return c.buffer[:format.PackHeader] }

// groups reads the head and the groups of a pack. failed gets the first fault.
func (c *checker) groups(in io.Reader, kind format.Kind, groups []format.Group, found *Damage, failed *error) error {
	note := func(err error) {
		if *failed == nil {
			*failed = err
		}
	}
	if err := full(in, c.head()); err != nil {
		return err
	}
	if err := format.CheckPackHeader(c.head(), kind); err != nil {
		note(err)
	}
	for i := range groups {
		g := &groups[i]
		if cap(c.stored) < g.Stored {
			c.stored = make([]byte, g.Stored)
		}
		c.stored = c.stored[:g.Stored]
		if err := full(in, c.stored); err != nil {
			return err
		}
		if err := c.group(kind, g, found); err != nil {
			note(fmt.Errorf("the group at %d: %w", g.Offset, err))
		}
	}
	return nil
}

// group opens the group in c.stored, and checks its chunks.
func (c *checker) group(kind format.Kind, g *format.Group, found *Damage) error {
	raw, body, err := c.keys.OpenGroup(c.raw[:0], c.body, c.decompressor, kind, c.stored)
	c.body = body
	if err == nil && len(raw) != g.Raw {
		err = damage("group", "it holds %d bytes, and its directory says %d", len(raw), g.Raw)
	}
	if err != nil {
		for _, chunk := range g.Chunks {
			found.chunk(chunk.ID)
		}
		return err
	}
	c.raw = raw
	var first error
	at := 0
	for _, chunk := range g.Chunks {
		if c.hashers[kind].ID(raw[at:at+chunk.Length]) != chunk.ID {
			found.chunk(chunk.ID)
			if first == nil {
				first = damage("chunk", "the bytes of %s have another id", chunk.ID)
			}
		}
		at += chunk.Length
	}
	return first
}

// directory reads the directory of a pack.
func (c *checker) directory(ctx context.Context, key string, kind format.Kind, size int64) ([]format.Group, error) {
	tail, offset, length, err := c.trailer(ctx, key, size, tailSize)
	if err != nil {
		return nil, err
	}
	if from := size - int64(len(tail)); offset >= from {
		return c.keys.OpenDirectory(kind, tail[offset-from:][:length], offset)
	}
	box, err := c.read(ctx, nil, key, offset, int64(length))
	if err != nil {
		return nil, err
	}
	return c.keys.OpenDirectory(kind, box, offset)
}
