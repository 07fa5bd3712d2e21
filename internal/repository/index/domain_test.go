package index_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
)

// process is one that has a domain of a bank open, with a cache.
type process struct {
	domain *dedup.Domain
	index  *index.Index
}

func start(t *testing.T, b *banktest.Memory, cache string, create bool) *process {
	t.Helper()
	p := &process{}
	o := dedup.Options{Compression: format.S2, Workers: 1, NewIndex: func(id format.RepositoryID) (dedup.Index, error) {
		var err error
		p.index, err = index.Open(t.Context(), index.Options{Folder: filepath.Join(cache, id.String()), Repository: id, Memtable: 100})
		return p.index, err
	}}
	var err error
	if create {
		p.domain, err = dedup.Create(t.Context(), b, "project", format.Key{1}, time.Unix(1, 0), o)
	} else {
		p.domain, err = dedup.Open(t.Context(), b, "project", format.Key{1}, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	if damaged, err := p.domain.LoadIndex(t.Context()); err != nil || len(damaged) > 0 {
		t.Fatal(damaged, err)
	}
	return p
}

func (p *process) write(ctx context.Context, t *testing.T, key string, data []byte) dedup.Summary {
	t.Helper()
	w, err := p.domain.Writer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	s, err := w.Commit(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *process) read(t *testing.T, key string, want []byte) {
	t.Helper()
	r, err := p.domain.Reader(t.Context(), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("reading %s: %d bytes of %d, error %v", key, len(got), len(want), err)
	}
}

func TestADomainKnowsItsChunksAfterARestartAndWithALostCache(t *testing.T) {
	b, cache := banktest.NewMemory(), t.TempDir()
	data := make([]byte, 20<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	p := start(t, b, cache, true)
	p.write(t.Context(), t, "streams/a", data)
	first := data
	for i, folder := range []string{cache, cache, t.TempDir()} {
		if err := p.index.Close(); err != nil {
			t.Fatal(err)
		}
		p = start(t, b, folder, false)
		p.read(t, "streams/a", first)
		data = slices.Concat(data, []byte{byte(i + 1)})
		key := "streams/" + string(rune('b'+i))
		// The chunk at the end is new, and all before it is known.
		if s := p.write(t.Context(), t, key, data); s.New == 0 || s.New > format.MaxChunk {
			t.Errorf("%s: %d bytes are new", key, s.New)
		}
		p.read(t, key, data)
	}
	if err := p.index.Close(); err != nil {
		t.Fatal(err)
	}
}
