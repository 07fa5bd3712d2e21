package verification

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Stream names a stream that is verified.
type Stream struct {
	// Key is that of its manifest in the bank.
	Key string
	// Project, Checkpoint and Resource (a node key) are those that the key names, or "".
	Project, Checkpoint, Resource string
	// Name is the stream's within the resource.
	Name string
}

// ParseStream reads the key of a manifest as layout 1 has it; ok is false for any other,
// for which Stream only has the key.
func ParseStream(key string) (s Stream, ok bool) {
	s.Key = key
	rest, ok := strings.CutPrefix(key, checkpointsPrefix)
	if !ok {
		return s, false
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 8 || parts[2] != "nodes" || parts[5] != "data" || parts[7] != "manifest" {
		return s, false
	}
	s.Project, s.Checkpoint, s.Resource, s.Name = parts[0], parts[1], parts[3]+"/"+parts[4], parts[6]
	return s, true
}

const checkpointsPrefix = "v1/checkpoints/"

// FindStreams calls fn with each stream of a domain that lies in a bank: of one
// project's checkpoints, or of all if project is "". Streams of other domains and formats
// are passed over; a manifest that nobody can read is not, and neither is one of a domain
// that the bank does not have, as it may be one of this domain that was changed.
func FindStreams(ctx context.Context, b bank.Bank, domain, project string, fn func(Stream) error) error {
	f := finder{bank: b, domain: domain, others: map[string]bool{}}
	prefix := checkpointsPrefix
	if project != "" {
		prefix += project + "/"
	}
	for marker := ""; ; {
		page, err := b.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return fmt.Errorf("listing the streams: %w", err)
		}
		for i := range page {
			marker = page[i].Key
			s, ok := ParseStream(page[i].Key)
			if !ok {
				continue
			}
			ours, err := f.ours(ctx, s.Key)
			if err != nil {
				return err
			}
			if ours {
				if err := fn(s); err != nil {
					return err
				}
			}
		}
		if len(page) < bank.MaxList {
			return nil
		}
	}
}

// finder tells which manifests are those of a domain.
type finder struct {
	bank   bank.Bank
	domain string
	// others says of other domains whether the bank has them.
	others map[string]bool
}

// ours reports whether a manifest is, or may be, of a stream of the domain.
func (f *finder) ours(ctx context.Context, key string) (bool, error) {
	text, err := readObject(ctx, f.bank, key, format.MaxManifest)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return false, nil // it went meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("reading the manifest %s: %w", key, err)
	}
	var m format.Manifest
	switch {
	case json.Unmarshal(text, &m) != nil:
		return true, nil
	case m.Format != format.Version:
		return !knownFormat(m.Format), nil
	case m.Domain == f.domain:
		return true, nil
	}
	there, known := f.others[m.Domain]
	if !known {
		_, err := f.bank.Stat(ctx, dedup.DocumentKey(m.Domain))
		switch kind := karbor.KindOf(err); {
		case err == nil:
			there = true
		case kind != karbor.NotFound && kind != karbor.Invalid:
			return false, fmt.Errorf("looking for the domain %s: %w", m.Domain, err)
		}
		f.others[m.Domain] = there
	}
	return !there, nil
}

// knownFormat reports whether a format is one of another kind of repository. One that
// nobody knows may be ours, and damaged.
func knownFormat(text string) bool { return text == "chunks/1" }

// readObject reads an object; what is longer than the limit is cut off.
func readObject(ctx context.Context, b bank.Bank, key string, limit int64) ([]byte, error) {
	r, err := b.Get(ctx, key, 0, limit)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return text, err
}
