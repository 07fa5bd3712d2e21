package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/protection"
)

// manifestName is the last part of a manifest's key, in all formats.
const manifestName = "manifest"

// StreamsOptions of NewStreams.
type StreamsOptions struct {
	// Domains are those of the bank. With nil, streams are written as chunks/1, and those
	// of repository/1 can't be read.
	Domains *Domains
	// Project is whose data it is.
	Project string
	// Section is where the manifests lie: a node's data. Required.
	Section *bank.Section
}

// Streams are the streams of one node: it writes repository/1, or chunks/1 without domains, and
// reads each stream in the format that its manifest names. See protection.Repository.
type Streams struct {
	options StreamsOptions
	clear   *chunks.Streams
	look    verification.Options // of Verify
}

var _ protection.Repository = (*Streams)(nil)

// NewStreams gives the streams in a section of a bank.
func NewStreams(o StreamsOptions) (*Streams, error) {
	c, err := chunks.New(o.Section, chunks.Options{})
	if err != nil {
		return nil, err
	}
	return &Streams{options: o, clear: c}, nil
}

// Create implements protection.Repository. ctx bounds the whole writing.
func (s *Streams) Create(ctx context.Context, name string) (protection.Writer, error) {
	if s.options.Domains == nil {
		return s.clear.Create(ctx, name)
	}
	key, err := s.manifestKey(name)
	if err != nil {
		return nil, err
	}
	switch _, err := s.manifest(ctx, name); {
	case err == nil:
		return nil, karbor.Errorf(karbor.Conflict, "the data %s is complete already", name)
	case karbor.KindOf(err) != karbor.NotFound:
		return nil, err
	}
	// What a writer of chunks/1 has left here is of no use any more.
	if err := s.clear.Remove(ctx, name); err != nil {
		return nil, err
	}
	w, err := s.options.Domains.writer(ctx, s.options.Project, name, key)
	if err != nil {
		return nil, fmt.Errorf("writing the data %s: %w", name, err)
	}
	return w, nil
}

// Open implements protection.Repository. ctx bounds the whole reading.
func (s *Streams) Open(ctx context.Context, name string) (protection.Reader, error) {
	return s.OpenAt(ctx, name, 0)
}

// OpenAt is Open for the bytes from offset on.
func (s *Streams) OpenAt(ctx context.Context, name string, offset int64) (protection.Reader, error) {
	if err := bank.CheckOffset(offset); err != nil {
		return nil, err
	}
	m, err := s.manifest(ctx, name)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return s.clear.OpenAt(ctx, name, offset)
	}
	key, err := s.manifestKey(name)
	if err != nil {
		return nil, err
	}
	return s.options.Domains.reader(ctx, name, key, m, offset)
}

// Stat implements protection.Repository.
func (s *Streams) Stat(ctx context.Context, name string) (protection.Summary, error) {
	m, err := s.manifest(ctx, name)
	if err != nil {
		return protection.Summary{}, err
	}
	if m == nil {
		return s.clear.Stat(ctx, name)
	}
	return summary(m), nil
}

func summary(m *format.Manifest) protection.Summary {
	return protection.Summary{Size: m.Size, New: m.New, Stored: m.Stored}
}

// Remove implements protection.Repository. What only this stream referred to stays in the bank
// until the collector comes.
func (s *Streams) Remove(ctx context.Context, name string) error {
	return s.clear.Remove(ctx, name) // the manifest first, in either format
}

// manifestKey gives the whole key of a stream's manifest in the bank.
func (s *Streams) manifestKey(name string) (string, error) {
	if strings.Contains(name, "/") {
		return "", karbor.Errorf(karbor.Invalid, "%q can't name data: it has a slash", name)
	}
	key := s.options.Section.Key(name + "/" + manifestName)
	return key, bank.CheckKey(key)
}

// peekSize is how much of a manifest is read at first. Those of repository/1 are rarely longer.
const peekSize = 64 << 10

// manifest reads the manifest of a stream; nil if it is one of chunks/1, whose own package
// reads it. It is karbor.NotFound if there is none.
func (s *Streams) manifest(ctx context.Context, name string) (*format.Manifest, error) {
	if _, err := s.manifestKey(name); err != nil {
		return nil, err
	}
	m, err := s.read(ctx, name+"/"+manifestName)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return nil, karbor.Errorf(karbor.NotFound, "there is no data %s", name)
	}
	if _, damaged := errors.AsType[*format.DamageError](err); damaged {
		return nil, broken(name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of %s: %w", name, err)
	}
	if m != nil && s.options.Domains == nil {
		return nil, karbor.Errorf(karbor.Unavailable, "the data %s is encrypted, and its provider has no keys any more", name)
	}
	return m, nil
}

func (s *Streams) read(ctx context.Context, key string) (*format.Manifest, error) {
	text, err := s.get(ctx, key, peekSize)
	if err != nil {
		return nil, err
	}
	named, known := formatOf(text)
	if len(text) == peekSize && named != chunksFormat {
		if text, err = s.get(ctx, key, format.MaxManifest+1); err != nil {
			return nil, err
		}
		named, known = formatOf(text)
	}
	if named == chunksFormat || !known {
		return nil, nil // what is no manifest at all is for chunks/1 to refuse
	}
	return format.ParseManifest(text)
}

func (s *Streams) get(ctx context.Context, key string, limit int64) ([]byte, error) {
	body, err := s.options.Section.Get(ctx, key, 0, limit)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	return text, errors.Join(err, body.Close())
}

// chunksFormat is the format of manifests that package chunks reads.
const chunksFormat = "chunks/1"

// formatOf finds the member format of a JSON object that may be cut off; ok is false if
// there is none in what is there.
func formatOf(text []byte) (named string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", false
		}
		if name == "format" {
			return named, json.Unmarshal(value, &named) == nil
		}
	}
	return "", false
}

// broken is the error of data that is not what was written. It names the chunk or the page.
func broken(name string, why error) error {
	if damage, is := errors.AsType[*format.DamageError](why); is {
		e := karbor.Errorf(karbor.Internal, "the data %s in the bank is damaged: %v", name, damage)
		e.Cause = why
		return e
	}
	return fmt.Errorf("reading the data %s: %w", name, why)
}
