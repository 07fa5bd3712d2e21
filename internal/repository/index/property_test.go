package index

import (
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor/internal/repository/dedup/indextest"
	"github.com/karbor/karbor/internal/repository/format"
)

// model says what a cache must know, by the shortest rules.
type model struct {
	named      map[format.Name]format.Name // packs, and the segment that named each last
	all        map[format.Name]format.Pack
	segments   map[format.Name]bool // that were taken in; true if they were listed
	superseded map[format.Name]bool
}

func (m *model) addSegment(name format.Name, s *format.Segment, listed bool) {
	if _, known := m.segments[name]; known || m.superseded[name] {
		return
	}
	for _, p := range s.Packs {
		m.named[p.Name], m.all[p.Name] = name, p
	}
	for _, r := range s.Replaces {
		m.drop(r)
		m.superseded[r] = true
	}
	m.segments[name] = listed
}

func (m *model) drop(segment format.Name) {
	delete(m.segments, segment)
	maps.DeleteFunc(m.named, func(_, by format.Name) bool { return by == segment })
}

func (m *model) sync(b *bankSegments) {
	for _, name := range b.names {
		m.addSegment(name, b.all[name], true)
		if _, known := m.segments[name]; known {
			m.segments[name] = true
		}
	}
	for name, listed := range maps.Clone(m.segments) {
		if listed && !slices.Contains(b.names, name) {
			m.drop(name)
		}
	}
	maps.DeleteFunc(m.superseded, func(name format.Name, _ bool) bool { return !slices.Contains(b.names, name) })
}

func (m *model) reopen() {
	maps.DeleteFunc(m.named, func(_, by format.Name) bool { return by == format.Name{} })
	for name := range m.segments {
		m.segments[name] = true
	}
}

func (m *model) known() map[format.Name]format.Pack {
	known := map[format.Name]format.Pack{}
	for name := range m.named {
		known[name] = m.all[name]
	}
	return known
}

func TestACacheKnowsWhatTheBankTold(t *testing.T) {
	t.Parallel()
	const ids = 30
	folders := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		folder, err := os.MkdirTemp(folders, "index")
		if err != nil {
			r.Fatal(err)
		}
		b := &bankSegments{all: map[format.Name]*format.Segment{}}
		m := &model{map[format.Name]format.Name{}, map[format.Name]format.Pack{}, map[format.Name]bool{}, map[format.Name]bool{}}
		x := open(r, folder)
		defer func() { _ = x.Close() }()
		draw := func() format.Pack {
			return indextest.Pack(format.Data, rapid.IntRange(0, 9).Draw(r, "salt"), rapid.SliceOfN(rapid.IntRange(0, ids-1), 1, 6).Draw(r, "ids"))
		}
		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) { indextest.Check(r, x, m.known(), ids) },
			"add": func(r *rapid.T) {
				p := draw()
				if err := x.Add([]format.Pack{p}); err != nil {
					r.Fatal(err)
				}
				if _, known := m.named[p.Name]; !known {
					m.named[p.Name], m.all[p.Name] = format.Name{}, p
				}
			},
			"publish": func(r *rapid.T) {
				s := &format.Segment{Packs: []format.Pack{draw(), draw()}}
				name := b.put(s)
				if err := x.AddSegment(name, s); err != nil {
					r.Fatal(err)
				}
				m.addSegment(name, s, false)
			},
			"another publishes": func(*rapid.T) { b.put(&format.Segment{Packs: []format.Pack{draw()}}) },
			"collect": func(r *rapid.T) {
				if len(b.names) < 2 {
					return
				}
				s := &format.Segment{Replaces: slices.Clone(b.names[:2])}
				for _, name := range s.Replaces {
					for _, p := range b.all[name].Packs {
						if rapid.Bool().Draw(r, "kept") {
							s.Packs = append(s.Packs, p)
						}
					}
				}
				b.put(s)
				b.names = b.names[rapid.IntRange(0, 2).Draw(r, "removed"):]
			},
			"remove": func(r *rapid.T) {
				if len(m.named) == 0 {
					return
				}
				p := rapid.SampledFrom(slices.SortedFunc(maps.Keys(m.named), func(a, b format.Name) int { return slices.Compare(a[:], b[:]) })).Draw(r, "pack")
				if err := x.Remove([]format.Name{p}); err != nil {
					r.Fatal(err)
				}
				delete(m.named, p)
			},
			"sync": func(r *rapid.T) { b.sync(r, x); m.sync(b) },
			"reopen": func(r *rapid.T) {
				closeIndex(r, x)
				x = open(r, folder)
				m.reopen()
			},
		})
	})
}
