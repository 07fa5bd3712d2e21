// Package chunks keeps bulk data in a bank in its first form, chunks/1: each
// stream as numbered chunk objects and a manifest (docs/format/layout1.md, "Bulk
// data"). It knows nothing of checkpoints.
package chunks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/protection"
)

// Sizes of chunks, in bytes.
const (
	DefaultChunkSize = 8 << 20
	MaxChunkSize     = 64 << 20
)

// buffers is how many chunks one writer or reader holds in memory.
const buffers = 3

// Options of New.
type Options struct {
	// ChunkSize is the size of all chunks of a stream but the last, 1 to
	// MaxChunkSize; 0 stands for DefaultChunkSize. A writer, and a reader, holds
	// three chunks in memory.
	ChunkSize int
}

// Streams keeps each stream as chunk objects, written once. See
// protection.Repository.
type Streams struct {
	section   *bank.Section
	chunkSize int
}

var _ protection.Repository = (*Streams)(nil)

// New gives the repository in a section of a bank.
func New(section *bank.Section, o Options) (*Streams, error) {
	if o.ChunkSize == 0 {
		o.ChunkSize = DefaultChunkSize
	}
	if o.ChunkSize < 1 || o.ChunkSize > MaxChunkSize {
		return nil, karbor.Errorf(karbor.Invalid, "a chunk can't have %d bytes", o.ChunkSize)
	}
	return &Streams{section: section, chunkSize: o.ChunkSize}, nil
}

// Create implements protection.Repository. ctx bounds the whole writing.
func (c *Streams) Create(ctx context.Context, name string) (protection.Writer, error) {
	sub, err := c.sub(name)
	if err != nil {
		return nil, err
	}
	switch _, err := c.manifest(ctx, name); {
	case err == nil:
		return nil, karbor.Errorf(karbor.Conflict, "the data %s is complete already", name)
	case karbor.KindOf(err) != karbor.NotFound:
		return nil, err
	}
	// An earlier writer that still runs finds its first chunk gone when it
	// commits; so the first chunk goes first.
	if err := sub.Clear(ctx); err != nil {
		return nil, fmt.Errorf("clearing what an earlier writer left of %s: %w", name, err)
	}
	id := strings.ReplaceAll(karbor.NewID(), "-", "")
	return newWriter(ctx, c, sub, name, id), nil
}

// Open implements protection.Repository. ctx bounds the whole reading.
func (c *Streams) Open(ctx context.Context, name string) (protection.Reader, error) {
	return c.OpenAt(ctx, name, 0)
}

// OpenAt is Open for the bytes from offset on. The digest of the whole is checked
// only if that is 0; those of the chunks are always.
func (c *Streams) OpenAt(ctx context.Context, name string, offset int64) (protection.Reader, error) {
	if err := bank.CheckOffset(offset); err != nil {
		return nil, err
	}
	m, err := c.manifest(ctx, name)
	if err != nil {
		return nil, err
	}
	return newReader(ctx, c.section, name, m, min(offset, m.Size)), nil
}

// Stat implements protection.Repository.
func (c *Streams) Stat(ctx context.Context, name string) (protection.Summary, error) {
	m, err := c.manifest(ctx, name)
	if err != nil {
		return protection.Summary{}, err
	}
	return m.summary(), nil
}

// Verify implements protection.Repository. progress may be nil.
func (c *Streams) Verify(ctx context.Context, name string, progress func(done, total int64)) error {
	m, err := c.manifest(ctx, name)
	if err != nil {
		return err
	}
	r := newReader(ctx, c.section, name, m, 0)
	var done int64
	for err == nil {
		var chunk []byte
		chunk, err = r.next()
		done += int64(len(chunk))
		if err == nil && progress != nil {
			progress(done, m.Size)
		}
	}
	if closeErr := r.Close(); err == io.EOF { //nolint:errorlint // an error of the bank that only wraps it is no end
		err = closeErr
	}
	return err
}

// Remove implements protection.Repository.
func (c *Streams) Remove(ctx context.Context, name string) error {
	sub, err := c.sub(name)
	if err != nil {
		return err
	}
	// The manifest first: without it there is no data, rather than broken data.
	if err := sub.Delete(ctx, manifestKey); err != nil {
		return fmt.Errorf("removing the data %s: %w", name, err)
	}
	if err := sub.Clear(ctx); err != nil {
		return fmt.Errorf("removing the data %s: %w", name, err)
	}
	return nil
}

func (c *Streams) sub(name string) (*bank.Section, error) {
	if strings.Contains(name, "/") {
		return nil, karbor.Errorf(karbor.Invalid, "%q can't name data: it has a slash", name)
	}
	return c.section.Sub(name)
}

// manifest reads the manifest of committed data.
func (c *Streams) manifest(ctx context.Context, name string) (*manifest, error) {
	sub, err := c.sub(name)
	if err != nil {
		return nil, err
	}
	body, err := sub.Get(ctx, manifestKey, 0, maxManifest+1)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, karbor.Errorf(karbor.NotFound, "there is no data %s", name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", name, err)
	}
	text, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", name, err)
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", name, &DamageError{err.Error()})
	}
	return m, nil
}

// publish writes the manifest. Being there already from a try whose answer got
// lost is no error.
func (c *Streams) publish(ctx context.Context, sub *bank.Section, name string, m *manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	err = sub.Create(ctx, manifestKey, bytes.NewReader(text), int64(len(text)))
	if err == nil {
		return nil
	}
	if there, getErr := c.manifest(ctx, name); getErr == nil && there.Writer == m.Writer {
		return nil
	}
	return err
}
