package index

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor/internal/repository/dedup/indextest"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestAllCallsMayBeMadeAtOnce(t *testing.T) {
	t.Parallel()
	x, b, known := open(t, t.TempDir()), &bankSegments{}, map[format.Name]format.Pack{}
	var removed []format.Name
	for i := range 40 {
		p, q := indextest.Pack(format.Data, i, []int{2 * i, 2*i + 1}), indextest.Pack(format.Data, 100+i, []int{100 + i})
		b.put(&format.Segment{Packs: []format.Pack{p, q}})
		known[p.Name], removed = p, append(removed, q.Name)
	}
	all := slices.Clone(b.names)
	own := &bankSegments{}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if _, _, err := x.Find(format.Data, indextest.ID(i%150)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := range 10 {
			b := &bankSegments{names: all[:4*(i+1)], all: b.all}
			if damaged, err := x.Sync(context.Background(), b); err != nil || damaged != nil {
				t.Error(damaged, err)
			}
			if err := x.Remove(removed[4*i : 4*i+4]); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Go(func() {
		for i := range 20 {
			p := indextest.Pack(format.Pages, i, []int{i, 200 + i})
			s := &format.Segment{Packs: []format.Pack{p}}
			name := own.put(s)
			name[5] = 1
			if err := errors.Join(x.Add(s.Packs), x.AddSegment(name, s)); err != nil {
				t.Error(err)
			}
			known[p.Name] = p
		}
	})
	writers.Wait()
	close(done)
	wg.Wait()
	indextest.Check(t, x, known, 230)
	closeIndex(t, x)
	x = open(t, x.options.Folder)
	indextest.Check(t, x, known, 230)
	closeIndex(t, x)
}

func TestAFailedWriteIsToldAndTriedAgain(t *testing.T) {
	full := errors.New("no space left")
	var fails atomic.Bool
	x, err := Open(t.Context(), Options{Folder: t.TempDir(), Repository: repository, Memtable: 8, hook: func(operation, _ string) error {
		if fails.Load() && operation == "write" {
			return full
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIndex(t, x)
	known, told := map[format.Name]format.Pack{}, false
	for i := range 60 {
		fails.Store(i >= 20 && i < 40)
		p := indextest.Pack(format.Data, i, []int{i, 60 + i})
		switch err := x.Add([]format.Pack{p}); {
		case err == nil:
			known[p.Name] = p
		case errors.Is(err, full):
			told = true
		default:
			t.Fatal(err)
		}
		indextest.Check(t, x, known, 120)
	}
	if !told || len(known) < 40 {
		t.Errorf("told is %v, %d packs are known", told, len(known))
	}
}
