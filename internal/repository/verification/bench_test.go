package verification

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Bytes that do not compress, and bytes that compress to about a third.
func BenchmarkVerify(b *testing.B) {
	const size = 64 << 20
	for name, data := range map[string][]byte{"random": random(1, size), "text": text(1, size)} {
		bank := banktest.NewMemory()
		d := newDomain(b, bank)
		write(b, d, manifestOf(1, 1), data)
		for _, depth := range depths() {
			b.Run(name+"/"+string(depth), func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					if r := domain(b, d, options(depth)); !r.Good() {
						b.Fatal(r)
					}
				}
			})
		}
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStoredBesideHashing verifies packs in a bank of files as with Stored by one worker, and reads
// and hashes the same objects one after the other: x-hash says how many times as fast it is as that.
// It is to be 0.8 at least.
func BenchmarkStoredBesideHashing(b *testing.B) {
	const size = 256 << 20
	store, err := file.Open(b.Context(), file.Options{Path: filepath.Join(b.TempDir(), "bank")})
	must(b, err)
	defer func() { must(b, store.Close()) }()
	d := newDomain(b, store)
	write(b, d, manifestOf(1, 1), random(1, size))
	var alone time.Duration
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(size)
		for range b.N {
			hashPacks(b, d)
		}
		alone = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("stored", func(b *testing.B) {
		b.SetBytes(size)
		o := options(Stored)
		o.Workers = 1
		for range b.N {
			o.State = NewState()
			if r := domain(b, d, o); !r.Good() {
				b.Fatal(r)
			}
		}
		if alone > 0 {
			b.ReportMetric(float64(alone)/(float64(b.Elapsed())/float64(b.N)), "x-hash")
		}
	})
}

// hashPacks reads and hashes each pack of a domain.
func hashPacks(b *testing.B, d *dedup.Domain) {
	b.Helper()
	buf := make([]byte, 1<<20)
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		must(b, d.EachPack(b.Context(), kind, func(name format.Name, _ bank.Info) error {
			r, err := d.Bank().Get(b.Context(), dedup.PackKey(d.Name(), kind, name), 0, -1)
			if err != nil {
				return err
			}
			sum := sha256.New()
			if _, err := io.CopyBuffer(sum, onlyReader{r}, buf); err != nil {
				return err
			}
			if [32]byte(sum.Sum(nil)) != name {
				return fmt.Errorf("the pack %s has another name", name)
			}
			return r.Close()
		}))
	}
}

// BenchmarkQuickOfAThousandStreams verifies a checkpoint with as many resources at the depth Quick. It is
// to take two seconds at most.
func BenchmarkQuickOfAThousandStreams(b *testing.B) {
	d := newDomain(b, banktest.NewMemory())
	for i := range 1000 {
		write(b, d, manifestOf(1, i+1), random(uint64(i+1), 300_000))
	}
	for b.Loop() {
		if r := domain(b, d, options(Quick)); !r.Good() || r.Streams != 1000 {
			b.Fatal(r)
		}
	}
}
