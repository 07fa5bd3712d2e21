//go:build linux

package index

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/repository/format"
)

var (
	big     = flag.Bool("big", false, "measure with 170 million entries (10 TiB): half an hour and 20 GB of disk")
	entries = flag.Int("entries", 1_000_000, "how many entries are measured without -big")
	where   = flag.String("cache", "", "a folder for the measured cache; empty is a temporary one")
)

// fastID gives an id that is as good as random, in a few nanoseconds.
func fastID(n uint64) (id format.ID) {
	for i := range 4 {
		n += 0x9e3779b97f4a7c15
		z := (n ^ n>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(id[8*i:], z^z>>31)
		n ^= z
	}
	return id
}

// benchPack makes a pack of 512 chunks from number first on, in 32 groups.
func benchPack(first uint64) format.Pack {
	p := format.Pack{Kind: format.Data, Size: 32 << 20, Groups: make([]format.Group, 32)}
	binary.LittleEndian.PutUint64(p.Name[:], first)
	p.Name[31] = 1
	for i := range p.Groups {
		p.Groups[i] = format.Group{Offset: 16 + i<<20, Stored: 1 << 19, Raw: 1 << 20, Chunks: make([]format.Chunk, 16)}
		for j := range p.Groups[i].Chunks {
			p.Groups[i].Chunks[j] = format.Chunk{ID: fastID(first + uint64(16*i+j)), Length: 64 << 10}
		}
	}
	return p
}

// memory gives the resident bytes of the process now and at most.
func memory(b *testing.B) (now, most float64) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib float64
		if rest, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			_, _ = fmt.Sscan(rest, &kib)
			now = kib / 1024
		} else if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			_, _ = fmt.Sscan(rest, &kib)
			most = kib / 1024
		}
	}
	return now, most
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIndex fills a cache, and looks up what it has and what it has not.
func BenchmarkIndex(b *testing.B) {
	n := uint64(*entries)
	if *big {
		n = 170_000_000
	}
	folder := *where
	if folder == "" {
		folder = b.TempDir()
	}
	x, err := Open(b.Context(), Options{Folder: folder, Repository: repository})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	begin, used := time.Now(), cpu(b)
	const packsOfSegment = 800
	var packs []format.Pack
	for first := uint64(0); first < n; first += 512 {
		packs = append(packs, benchPack(first))
		if len(packs) == packsOfSegment || first+512 >= n {
			name := packs[0].Name
			name[30] = 1
			if err := x.AddSegment(name, &format.Segment{Packs: packs}); err != nil {
				b.Fatal(err)
			}
			packs = nil
		}
	}
	for _, from, to := x.plan(); from != to; _, from, to = x.plan() {
		<-x.merged
	}
	s := x.Stats()
	now, most := memory(b)
	total := float64(s.Entries)
	b.Logf("%d entries in %d packs, filled in %.1f s with %.2f us of CPU each; %d runs of %.1f bytes an entry, filters of %.2f bits; resident %.0f MiB, at most %.0f MiB",
		s.Entries, s.Packs, time.Since(begin).Seconds(), (cpu(b)-used).Seconds()*1e6/total, s.Runs, float64(s.Disk)/total, 8*float64(s.Filters)/total, now, most)
	look := func(b *testing.B, base, span uint64) {
		var found atomic.Int64
		used := cpu(b)
		b.RunParallel(func(pb *testing.PB) {
			r := rand.New(rand.NewPCG(rand.Uint64(), 1))
			for pb.Next() {
				_, ok, err := x.Find(format.Data, fastID(base+r.Uint64N(span)))
				if err != nil {
					b.Error(err)
				}
				if ok {
					found.Add(1)
				}
			}
		})
		b.ReportMetric(float64(cpu(b)-used)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(found.Load())/float64(b.N), "found/op")
	}
	b.Run("hit", func(b *testing.B) { look(b, 0, n) })
	b.Run("miss", func(b *testing.B) { look(b, 1<<40, 1<<40) })
	now, most = memory(b)
	b.Logf("resident %.0f MiB, at most %.0f MiB", now, most)
}
