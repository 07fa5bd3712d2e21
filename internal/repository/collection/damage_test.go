package collection_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
	"github.com/karbor/karbor/internal/repository/verification"
)

// kinds are the indexes that a collector may have.
var kinds = map[string]func(*testing.T) func(format.RepositoryID) (dedup.Index, error){
	"memory": func(*testing.T) func(format.RepositoryID) (dedup.Index, error) {
		return func(format.RepositoryID) (dedup.Index, error) { return dedup.NewMemory(), nil }
	},
	"disk": func(t *testing.T) func(format.RepositoryID) (dedup.Index, error) {
		return func(id format.RepositoryID) (dedup.Index, error) {
			x, err := index.Open(t.Context(), index.Options{Folder: t.TempDir(), Repository: id})
			if err == nil {
				t.Cleanup(func() { _ = x.Close() })
			}
			return x, err
		}
	},
}

// opened opens the domain with a fresh index.
func opened(t *testing.T, b bank.Bank, with func(format.RepositoryID) (dedup.Index, error)) *dedup.Domain {
	t.Helper()
	d, err := dedup.Open(t.Context(), b, domain, master(), dedup.Options{Workers: 1, NewIndex: with})
	if err == nil {
		_, err = d.LoadIndex(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// latest gives the name of the pack of data that was written last.
func latest(t *testing.T, b *banktest.Memory) format.Name {
	t.Helper()
	listed, err := b.List(t.Context(), dedup.PacksPrefix(domain, format.Data), "", bank.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	last := slices.MaxFunc(listed, func(a, b bank.Info) int { return cmp.Or(a.ModTime.Compare(b.ModTime), cmp.Compare(a.Key, b.Key)) })
	name, ok := dedup.ParsePackKey(domain, format.Data, last.Key)
	if !ok {
		t.Fatalf("%s is the key of no pack", last.Key)
	}
	return name
}

// spoil changes the first half of a pack.
func spoil(t *testing.T, b *banktest.Memory, name format.Name) {
	t.Helper()
	key := dedup.PackKey(domain, format.Data, name)
	text := []byte(b.Snapshot()[key])
	for at := 100; at < len(text)/2; at += 30_000 {
		text[at] ^= 1
	}
	put(t, b, key, string(text))
}

// distrustful opens a domain for a writer that stores again what marked packs hold.
func distrustful(t *testing.T, b bank.Bank) *dedup.Domain {
	t.Helper()
	distrust := verification.NewDistrust(nil)
	if err := distrust.Load(t.Context(), b, domain); err != nil {
		t.Fatal(err)
	}
	d, err := open(t, b, nil).In(t.Context(), distrust)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// join puts all index segments into one.
func join(t *testing.T, d *dedup.Domain) {
	t.Helper()
	names, err := d.Segments().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := format.Segment{Replaces: names}
	for _, name := range names {
		s, err := d.Segments().Load(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		all.Packs = append(all.Packs, s.Packs...)
	}
	if _, _, err := d.WriteSegment(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		remove(t, d.Bank(), dedup.SegmentsPrefix(domain)+name.String())
	}
}

func markDamaged(t *testing.T, b bank.Bank, name format.Name) {
	t.Helper()
	damaged := []verification.Damage{{Kind: format.Data, Pack: name, Why: "a test says so"}}
	if err := verification.Mark(t.Context(), b, domain, damaged, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestMendedCopyStaysBesideItsDamagedPack: a pack is damaged in part and marked, and what it holds is
// stored again. The collection then rewrites the segment that tells of the damaged one, so that for
// a fresh index it is the one that was taken in last.
func TestMendedCopyStaysBesideItsDamagedPack(t *testing.T) {
	for name, index := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, b := newDomain(t)
				checks := map[string][]int{manifestOf(domain, 1): {1, 2, 3, 4, 5, 6}, manifestOf(domain, 3): {1, 2, 3, 4}}
				write(t, d, manifestOf(domain, 1), checks[manifestOf(domain, 1)]...)
				damaged := latest(t, b)
				write(t, d, manifestOf(domain, 2), 7, 8)
				join(t, d)
				spoil(t, b, damaged)
				markDamaged(t, b, damaged)
				if err := reads(t, open(t, b, nil), manifestOf(domain, 1), checks[manifestOf(domain, 1)]...); err == nil {
					t.Fatal("nothing is damaged")
				}
				time.Sleep(time.Second)
				write(t, distrustful(t, b), manifestOf(domain, 3), checks[manifestOf(domain, 3)]...)
				remove(t, b, manifestOf(domain, 2))
				for range 3 {
					time.Sleep(time.Second)
					r, err := collect(t, opened(t, b, index(t)), collection.Options{})
					if err != nil {
						t.Fatal(err)
					}
					for key, of := range checks {
						if err := reads(t, open(t, b, nil), key, of...); err != nil {
							t.Fatalf("%+v: %v", r, err)
						}
					}
				}
			})
		})
	}
}

// TestMarkThatComesMeanwhileIsHeeded: of two packs that hold the same, the one that was reached turns
// out to be damaged when the other one is condemned already.
func TestMarkThatComesMeanwhileIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 1), 1, 2, 3, 4)
		time.Sleep(time.Second)
		blind, err := dedup.Open(t.Context(), b, domain, master(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		write(t, blind, manifestOf(domain, 2), 1, 2, 3, 4)
		reached := latest(t, b)
		c, err := collection.New(open(t, b, nil), collection.Options{Times: times()})
		if err != nil {
			t.Fatal(err)
		}
		late := false
		r, err := c.Collect(t.Context(), func(p collection.Progress) {
			if p.Phase == collection.Waiting && !late {
				late = true
				spoil(t, b, reached)
				markDamaged(t, b, reached)
			}
		})
		if err != nil || !late || r.Condemned == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		for n := range 2 {
			if err := reads(t, open(t, b, nil), manifestOf(domain, 1+n), 1, 2, 3, 4); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestManifestThatSaysAnotherDomain(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		foreign  bool // the bank has the domain that it says
		stops    bool
	}{
		"a bit of the domain":             {from: `"domain":"project"`, to: `"domain":"projecu"`},
		"a bit of the repository":         {from: `"repository":"`, to: `"repository":"x`},
		"a bit of the member's name":      {from: `"domain":`, to: `"domaio":`},
		"another domain that there is":    {from: `"domain":"project"`, to: `"domain":"other"`, foreign: true},
		"a domain that there is not":      {from: `"domain":"project","repository":"`, to: `"domain":"other","root":"AAAA","repository":"`, stops: true},
		"a domain that can't be in a key": {from: `"domain":"project","repository":"`, to: `"domain":"../x","root":"AAAA","repository":"`, stops: true},
	} {
		t.Run(name, func(t *testing.T) {
			d, b := newDomain(t)
			write(t, d, manifestOf(domain, 1), 1, 2)
			write(t, d, manifestOf(domain, 2), 3, 4)
			good := b.Snapshot()[manifestOf(domain, 1)]
			bad := strings.Replace(good, c.from, c.to, 1)
			if strings.Contains(c.to, "root") {
				at := strings.LastIndex(bad, `"root":"`) + len(`"root":"`)
				bad = bad[:at] + "AAAAAAAA" + bad[at+8:]
			}
			if c.foreign {
				put(t, b, dedup.DocumentKey("other"), "{}")
			}
			put(t, b, manifestOf(domain, 1), bad)
			for _, own := range []bool{false, true} {
				_, err := collect(t, open(t, b, nil), collection.Options{OwnProject: own})
				if _, stopped := errors.AsType[*collection.DamageError](err); stopped != c.stops || err != nil && !stopped {
					t.Errorf("got %v", err)
				}
			}
			put(t, b, manifestOf(domain, 1), good)
			if err := reads(t, open(t, b, nil), manifestOf(domain, 1), 1, 2); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

// TestStreamThatIsGivenUpHidesNoOther: two streams share a page that misses a chunk, and only one of
// them is given up.
func TestStreamThatIsGivenUpHidesNoOther(t *testing.T) {
	for range 10 {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 5), 0)
		missing := latest(t, b)
		write(t, d, manifestOf(domain, 1), 0, 1, 2, 3)
		write(t, d, manifestOf(domain, 2), 0, 1, 2, 3)
		remove(t, b, manifestOf(domain, 5))
		remove(t, b, dedup.PackKey(domain, format.Data, missing))
		before := len(packs(b))
		_, err := collect(t, open(t, b, nil), collection.Options{Force: []string{manifestOf(domain, 1)}})
		stopped, ok := errors.AsType[*collection.DamageError](err)
		if !ok || len(stopped.Damaged) != 1 || stopped.Damaged[0].Manifest != manifestOf(domain, 2) || len(packs(b)) != before {
			t.Fatalf("got %v, %d of %d packs are left", err, len(packs(b)), before)
		}
		// Both are told at once, so that both can be given up.
		_, err = collect(t, open(t, b, nil), collection.Options{})
		if stopped, ok = errors.AsType[*collection.DamageError](err); !ok || len(stopped.Damaged) != 2 {
			t.Fatalf("got %v", err)
		}
	}
}

func TestManyStreamsThatAreGivenUpHideNoOther(t *testing.T) {
	d, b := newDomain(t)
	write(t, d, manifestOf(domain, 1), 1, 2)
	var force []string
	for n := range collection.MaxDamaged {
		force = append(force, manifestOf(domain, 1000+n))
		put(t, b, force[n], "no")
	}
	good := b.Snapshot()[manifestOf(domain, 1)]
	remove(t, b, manifestOf(domain, 1))
	put(t, b, manifestOf(domain, 5000), good) // of another key, listed last
	before := len(packs(b))
	r, err := collect(t, open(t, b, nil), collection.Options{Force: force})
	stopped, ok := errors.AsType[*collection.DamageError](err)
	if !ok || len(stopped.Damaged) != 1 || len(packs(b)) != before || r.Damaged[0].Manifest != manifestOf(domain, 5000) {
		t.Errorf("got %v, %d damaged, %d of %d packs are left", err, len(r.Damaged), len(packs(b)), before)
	}
}
