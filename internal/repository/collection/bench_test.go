package collection_test

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
)

// BenchmarkMark marks a stream of 512 MiB of unique data.
func BenchmarkMark(b *testing.B) {
	bank := banktest.NewMemory()
	d, err := dedup.Create(b.Context(), bank, domain, master(), time.Now(), dedup.Options{Index: dedup.NewMemory()})
	if err != nil {
		b.Fatal(err)
	}
	w, err := d.Writer(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{1}), 512<<20); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Commit(b.Context(), manifestOf(domain, 1)); err != nil {
		b.Fatal(err)
	}
	c, err := collection.New(d, collection.Options{Times: times(), DryRun: true})
	if err != nil {
		b.Fatal(err)
	}
	var chunks int64
	for b.Loop() {
		r, err := c.Collect(b.Context(), nil)
		if err != nil || r.Condemned > 0 {
			b.Fatal(r, err)
		}
		chunks += r.Chunks
	}
	b.ReportMetric(float64(chunks)/b.Elapsed().Seconds(), "chunks/s")
	b.ReportMetric(float64(chunks)/float64(b.N), "chunks")
}
