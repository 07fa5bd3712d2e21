// Package indextest holds what every dedup.Index must do.
package indextest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Remover is an Index that can forget packs.
type Remover interface {
	Remove(names []format.Name) error
}

// ID gives an id that is as good as random.
func ID(n int) format.ID {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// Pack makes a pack of the ids of some numbers, in groups of up to 3. Its name depends
// on salt and on what is in it.
func Pack(kind format.Kind, salt int, ids []int) format.Pack {
	p := format.Pack{Kind: kind, Size: 1 << 20}
	text := binary.LittleEndian.AppendUint64([]byte{byte(kind)}, uint64(salt))
	for i, id := range ids {
		text = binary.LittleEndian.AppendUint64(text, uint64(id))
		if i%3 == 0 {
			p.Groups = append(p.Groups, format.Group{Offset: 16 + 1000*i, Stored: 2000 + salt%100})
		}
		g := &p.Groups[len(p.Groups)-1]
		c := format.Chunk{ID: ID(id), Length: 1 + (id*7919+salt)%format.MaxChunk}
		g.Chunks = append(g.Chunks, c)
		g.Raw += c.Length
	}
	p.Name = sha256.Sum256(text)
	return p
}

// Holds reports whether a pack holds a chunk or page at a location.
func Holds(p *format.Pack, kind format.Kind, id format.ID, l dedup.Location) bool {
	for i := range p.Groups {
		g, within := &p.Groups[i], 0
		for _, c := range g.Chunks {
			if c.ID == id && l == (dedup.Location{Pack: p.Name, Offset: g.Offset, Stored: g.Stored, Raw: g.Raw, Within: within, Length: c.Length}) {
				return kind == p.Kind
			}
			within += c.Length
		}
	}
	return false
}

// Check compares an index with the packs that it must know, for the ids of the numbers
// below n.
func Check(t rapid.TB, x dedup.Index, known map[format.Name]format.Pack, n int) {
	t.Helper()
	type key struct {
		kind format.Kind
		id   format.ID
	}
	stored := map[key]bool{}
	for _, p := range known {
		for _, g := range p.Groups {
			for _, c := range g.Chunks {
				stored[key{p.Kind, c.ID}] = true
			}
		}
	}
	for i := range n {
		for _, kind := range []format.Kind{format.Data, format.Pages} {
			id := ID(i)
			l, ok, err := x.Find(kind, id)
			if err != nil {
				t.Fatalf("looking up %d: %v", i, err)
			}
			if ok != stored[key{kind, id}] {
				t.Fatalf("kind %d, id %d: found is %v, want %v", kind, i, ok, !ok)
			}
			if p := known[l.Pack]; ok && !Holds(&p, kind, id, l) {
				t.Fatalf("kind %d, id %d: is not at %+v", kind, i, l)
			}
			checkPlaces(t, x, known, kind, id, l)
		}
	}
}

// checkPlaces compares the places of an id with the packs that must be known. first is the one that
// is given first.
func checkPlaces(t rapid.TB, x dedup.Index, known map[format.Name]format.Pack, kind format.Kind, id format.ID, first dedup.Location) {
	t.Helper()
	places, err := x.Places(kind, id)
	if err != nil {
		t.Fatalf("looking for the places of %s: %v", id, err)
	}
	if len(places) > 0 && places[0] != first {
		t.Fatalf("the first place of %s is %+v, not %+v", id, places[0], first)
	}
	told := map[format.Name]bool{}
	for _, l := range places {
		p := known[l.Pack]
		if !Holds(&p, kind, id, l) {
			t.Fatalf("%s is not at %+v", id, l)
		}
		told[l.Pack] = true
	}
	for name, p := range known {
		holds := p.Kind == kind && slices.ContainsFunc(p.Groups, func(g format.Group) bool {
			return slices.ContainsFunc(g.Chunks, func(c format.Chunk) bool { return c.ID == id })
		})
		if holds != told[name] {
			t.Fatalf("that the pack %s holds %s is told: %v", name, id, told[name])
		}
		if there, err := x.Holds(name); err != nil || !there {
			t.Fatalf("the pack %s is not known: %v", name, err)
		}
	}
}

// forgetsTheUnnamed: what no segment names goes, and nothing else.
func forgetsTheUnnamed(t *testing.T, x dedup.SessionIndex) {
	named, unnamed, late := Pack(format.Data, 1, []int{1, 2}), Pack(format.Data, 2, []int{2, 3}), Pack(format.Data, 3, []int{4})
	for _, p := range []format.Pack{named, unnamed, late} {
		add(t, x, p)
	}
	segments := []*format.Segment{{Packs: []format.Pack{named}}, {Packs: []format.Pack{late}}}
	for i, s := range segments {
		if err := x.AddSegment(format.Name{byte(i + 1)}, s); err != nil {
			t.Fatal(err)
		}
	}
	known := map[format.Name]format.Pack{named.Name: named, unnamed.Name: unnamed, late.Name: late}
	Check(t, x, known, 6)
	if err := x.ForgetUnnamed(); err != nil {
		t.Fatal(err)
	}
	delete(known, unnamed.Name)
	Check(t, x, known, 6)
	if there, err := x.Holds(unnamed.Name); err != nil || there {
		t.Error("the pack that no segment names is still known", err)
	}
	// One that replaces others takes with it what only those named.
	if err := x.AddSegment(format.Name{9}, &format.Segment{Replaces: []format.Name{{1}, {2}}, Packs: []format.Pack{late}}); err != nil {
		t.Fatal(err)
	}
	delete(known, named.Name)
	Check(t, x, known, 6)
	// An own segment that no listing has shown may only be late, but not when it is asked for anew.
	for _, anew := range []bool{false, true} {
		if anew {
			delete(known, late.Name)
			if err := x.ForgetUnnamed(); err != nil {
				t.Fatal(err)
			}
		}
		if damaged, err := x.Sync(t.Context(), unlisted{}); err != nil || len(damaged) > 0 {
			t.Fatal(damaged, err)
		}
		Check(t, x, known, 6)
	}
}

// unlisted are segments of which listings show none.
type unlisted struct{}

func (unlisted) List(context.Context) ([]format.Name, error) { return nil, nil }

func (unlisted) Load(context.Context, format.Name) (*format.Segment, error) {
	return nil, karbor.Errorf(karbor.NotFound, "there are no segments")
}

// Run tests indexes that open makes, which are empty. Those that are an io.Closer are closed.
func Run(t *testing.T, open func(t *testing.T) dedup.Index) {
	t.Run("TellsOfNothingWhenEmpty", func(t *testing.T) {
		x := open(t)
		defer end(t, x)
		Check(t, x, nil, 5)
	})
	t.Run("KeepsKindsApart", func(t *testing.T) {
		x, p := open(t), Pack(format.Pages, 1, []int{1})
		defer end(t, x)
		add(t, x, p)
		Check(t, x, map[format.Name]format.Pack{p.Name: p}, 3)
	})
	t.Run("PrefersTheLatestPack", func(t *testing.T) {
		x, p, q := open(t), Pack(format.Data, 1, []int{1, 2}), Pack(format.Data, 2, []int{2, 3})
		defer end(t, x)
		add(t, x, p)
		for i := range 60 { // enough for an index to put what it has elsewhere, again and again
			add(t, x, Pack(format.Data, i, []int{10 + 3*i, 11 + 3*i, 12 + 3*i}))
			if i == 30 {
				add(t, x, q)
			}
			if l, ok, err := x.Find(format.Data, ID(2)); err != nil || !ok || i >= 30 && l.Pack != q.Name {
				t.Fatal(i, l, ok, err)
			}
		}
	})
	t.Run("ForgetsWhatNoSegmentNames", func(t *testing.T) {
		x := open(t)
		defer end(t, x)
		if s, ok := x.(dedup.SessionIndex); ok {
			forgetsTheUnnamed(t, s)
		}
	})
	t.Run("AgreesWithAModel", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			x := open(t)
			defer end(t, x)
			agree(r, x)
		})
	})
	t.Run("IsUsedConcurrently", func(t *testing.T) {
		x, known := open(t), map[format.Name]format.Pack{}
		defer end(t, x)
		var wg sync.WaitGroup
		for w := range 4 {
			packs := make([]format.Pack, 20)
			for i := range packs {
				packs[i] = Pack(format.Data, 100*w+i, []int{20*w + i, 20*w + i + 1, 20*w + i + 2})
				known[packs[i].Name] = packs[i]
			}
			wg.Go(func() {
				for i := range packs {
					add(t, x, packs[i])
					if _, ok, err := x.Find(format.Data, ID(20*w+i)); err != nil || !ok {
						t.Error(ok, err)
					}
				}
			})
		}
		wg.Wait()
		Check(t, x, known, 100)
	})
}

func end(t *testing.T, x dedup.Index) {
	t.Helper()
	if c, ok := x.(io.Closer); ok {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func add(t testing.TB, x dedup.Index, p format.Pack) {
	t.Helper()
	if err := x.Add([]format.Pack{p}); err != nil {
		t.Error(err)
	}
}

// agree adds and removes packs by chance.
func agree(r *rapid.T, x dedup.Index) {
	const ids = 40
	known, all := map[format.Name]format.Pack{}, []format.Pack{}
	for range rapid.IntRange(1, 40).Draw(r, "steps") {
		remover, can := x.(Remover)
		if can && len(all) > 0 && rapid.IntRange(0, 3).Draw(r, "remove") == 0 {
			p := rapid.SampledFrom(all).Draw(r, "removed")
			if err := remover.Remove([]format.Name{p.Name, {1}}); err != nil {
				r.Fatal(err)
			}
			delete(known, p.Name)
			continue
		}
		var p format.Pack
		if len(all) > 0 && rapid.IntRange(0, 3).Draw(r, "again") == 0 {
			p = rapid.SampledFrom(all).Draw(r, "added again")
		} else {
			kind := rapid.SampledFrom([]format.Kind{format.Data, format.Pages}).Draw(r, "kind")
			p = Pack(kind, len(all), rapid.SliceOfN(rapid.IntRange(0, ids-1), 0, 12).Draw(r, "ids"))
		}
		if err := x.Add([]format.Pack{p}); err != nil {
			r.Fatal(err)
		}
		known[p.Name], all = p, append(all, p)
	}
	Check(r, x, known, ids+2)
}
