package index

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/repository/dedup/indextest"
	"github.com/karbor/karbor/internal/repository/format"
)

// power fails at one of the changes of a folder, and with it all that follow.
type power struct {
	mu     sync.Mutex
	folder string
	at     int // the change at which it fails; -1 never
	seen   int
	// unsynced files would not have reached the disk.
	unsynced map[string]bool
}

var errPower = errors.New("the power failed")

func (p *power) hook(operation, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	if p.at >= 0 && p.seen > p.at {
		return errPower
	}
	switch operation {
	case "create", "write":
		p.unsynced[name] = true
	case "sync":
		delete(p.unsynced, name)
	}
	return nil
}

// fail cuts the files that were not synced to half of what was written.
func (p *power) fail(t *testing.T) {
	t.Helper()
	for name := range p.unsynced {
		path := filepath.Join(p.folder, name)
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Truncate(path, info.Size()/2)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sync brings an index up to date. It fails if the power did meanwhile.
func (p *power) sync(x *Index, b *bankSegments) error {
	_, err := x.Sync(context.Background(), b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at >= 0 && p.seen > p.at {
		return errPower
	}
	return err
}

// work does some of all that changes a folder, until something fails.
func work(x *Index, b *bankSegments, p *power) error {
	if err := p.sync(x, b); err != nil {
		return err
	}
	b.synced = len(b.names)
	for i := range 12 {
		s := &format.Segment{Packs: []format.Pack{
			indextest.Pack(format.Data, i, []int{4 * i, 4*i + 1, 4*i + 2}), indextest.Pack(format.Pages, i, []int{4*i + 3, 4*i + 4})}}
		orphan := indextest.Pack(format.Data, i, []int{100 + i})
		if err := errors.Join(x.Add(s.Packs), x.Add([]format.Pack{orphan})); err != nil {
			return err
		}
		if err := x.AddSegment(b.put(s), s); err != nil {
			return err
		}
		if i == 6 {
			if err := p.sync(x, b); err != nil {
				return err
			}
			b.synced = len(b.names)
		}
		if i%3 == 1 { // this writes the state while there is something in memory
			if err := x.Remove([]format.Name{orphan.Name}); err != nil {
				return err
			}
		}
	}
	return x.Close()
}

func TestACrashAtAnyChangeLosesNothingThatTheBankHas(t *testing.T) {
	t.Parallel()
	last := 1 << 30
	for at := 0; at < last; at++ {
		p := &power{folder: filepath.Join(t.TempDir(), "cache"), at: at, unsynced: map[string]bool{}}
		b := &bankSegments{}
		for i := range 3 {
			b.put(&format.Segment{Packs: []format.Pack{indextest.Pack(format.Data, 50+i, []int{60 + i, 70 + i, 80 + i})}})
		}
		o := Options{Folder: p.folder, Repository: repository, Memtable: 8, hook: p.hook}
		x, err := Open(t.Context(), o)
		if err == nil {
			err = work(x, b, p)
			// With the power off, this changes nothing any more.
			_ = x.Close()
		}
		if err == nil {
			// All was done before the power failed, or nothing failed that matters.
			last = min(last, at+1)
		}
		p.fail(t)
		x = open(t, p.folder)
		all := map[format.Name]format.Pack{}
		for _, s := range b.all {
			for _, q := range s.Packs {
				all[q.Name] = q
			}
		}
		for i := range 120 {
			l, ok, err := x.Find(format.Data, indextest.ID(i))
			if q := all[l.Pack]; err != nil || ok && !indextest.Holds(&q, format.Data, indextest.ID(i), l) {
				t.Fatalf("crash at change %d: id %d is at %+v: %v", at, i, l, err)
			}
		}
		b.loads = 0
		b.sync(t, x)
		if b.loads > len(b.names)-b.synced {
			t.Errorf("crash at change %d: %d of %d segments were read, though %d had been taken in", at, b.loads, len(b.names), b.synced)
		}
		indextest.Check(t, x, all, 120)
		closeIndex(t, x)
		onlyFilesThatCount(t, p.folder)
	}
	if last < 40 {
		t.Errorf("only %d changes were tried", last)
	}
}

// onlyFilesThatCount makes sure that nothing is left over in a closed folder.
func onlyFilesThatCount(t *testing.T, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, stateName))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseState(text, repository)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"lock", stateName}
	for _, r := range s.runs {
		want = append(want, runName(r.number))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, fileNames(t, folder)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestBitFlipsAreFoundAndMended(t *testing.T) {
	t.Parallel()
	folder, b, all := t.TempDir(), &bankSegments{}, map[format.Name]format.Pack{}
	for i := range 30 {
		p := indextest.Pack(format.Data, i, []int{3 * i, 3*i + 1, 3*i + 2, 3*i + 3})
		all[p.Name] = p
		b.put(&format.Segment{Packs: []format.Pack{p}})
	}
	rebuilt := 0
	for flip := range 60 {
		x := open(t, folder)
		b.sync(t, x)
		closeIndex(t, x)
		names := slices.DeleteFunc(fileNames(t, folder), func(name string) bool { return name == "lock" })
		path := filepath.Join(folder, names[flip%len(names)])
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Most of a small run's bytes are padding: flip where something is.
		var used []int
		for i, c := range text {
			if c != 0 {
				used = append(used, i)
			}
		}
		text[used[flip*7919%len(used)]] ^= 1 << (flip % 8)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		x = open(t, folder)
		for i := range 95 {
			l, ok, err := x.Find(format.Data, indextest.ID(i))
			if _, damaged := errors.AsType[*format.DamageError](err); err != nil && !damaged {
				t.Fatal(err)
			}
			if q := all[l.Pack]; ok && !indextest.Holds(&q, format.Data, indextest.ID(i), l) {
				t.Fatalf("flip %d in %s: id %d is at %+v", flip, path, i, l)
			}
		}
		loads := b.loads
		b.sync(t, x)
		if b.loads != loads {
			rebuilt++
		}
		indextest.Check(t, x, all, 95)
		closeIndex(t, x)
	}
	if rebuilt != 60 {
		t.Errorf("%d of 60 flips were found", rebuilt)
	}
}
