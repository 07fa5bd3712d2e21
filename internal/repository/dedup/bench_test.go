package dedup

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/format"
)

// text gives n bytes that compress about as a volume's do: words of a small
// dictionary, and every fourth block random.
func text(n int) []byte {
	b := random(11, n)
	words := bytes.Fields([]byte("the quick brown fox jumps over a lazy dog and server volume network image plan checkpoint bank restore"))
	for at := 0; at+format.Block <= n; at += format.Block {
		if at/format.Block%4 == 3 {
			continue
		}
		block := b[at : at+format.Block]
		for i := 0; i+2 < len(block); {
			w := words[int(block[i])%len(words)]
			i += copy(block[i+1:], w) + 1
		}
	}
	return b
}

// BenchmarkProtect writes a stream of 1 GiB, half of it holes, into a file bank: for
// the first time, again, and beside it a copy into a file with its SHA-256.
func BenchmarkProtect(b *testing.B) {
	data := text(256 << 20)
	source := func() io.Reader {
		return io.MultiReader(bytes.NewReader(data), bytes.NewReader(make([]byte, 256<<20)), bytes.NewReader(data[128<<20:]))
	}
	size := int64(len(data))*2 + int64(len(data))/2
	store, err := file.Open(b.Context(), file.Options{Path: filepath.Join(b.TempDir(), "bank")})
	if err != nil {
		b.Fatal(err)
	}
	index := NewMemory()
	d, err := Create(b.Context(), store, "project", masterKey(), created, Options{Compression: format.Zstd, Index: index})
	if err != nil {
		b.Fatal(err)
	}
	protect := func(b *testing.B) {
		w, err := d.Writer(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(w, source()); err != nil {
			b.Fatal(err)
		}
		s, err := w.Commit(b.Context(), "streams/"+karbor.NewID())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.Stored)/float64(s.Size), "stored/raw")
	}
	for _, name := range []string{"first", "again"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if name == "first" {
					d.options.Index = NewMemory()
				}
				protect(b)
			}
		})
	}
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Create(filepath.Join(b.TempDir(), "copy"))
			if err != nil {
				b.Fatal(err)
			}
			h := sha256.New()
			if _, err := io.Copy(io.MultiWriter(f, h), source()); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
	})
}
