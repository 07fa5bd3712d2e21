package collection

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

// marks is what is known of the packs, and what the manifests reach of them. For each TiB of
// packs it takes about 15 MiB of memory, for each TiB that the streams of a domain have without
// what they share 0.3 MiB more, and for each stream 50 bytes. Its methods may be called
// concurrently.
type marks struct {
	domain *dedup.Domain
	bank   bank.Bank

	mu    sync.Mutex
	packs map[format.Name]*mark
	// absent are packs that are not there, though an index may tell of them.
	absent map[format.Name]struct{}
	// doubtful are those that the newest epoch condemned: a listing is not enough.
	doubtful map[format.Name]struct{}
	// damaged are marked so: what they hold may be readable in another pack only.
	damaged map[format.Name]bool
	// pages and manifests were walked through, and what they reach is marked.
	pages     map[format.ID]struct{}
	manifests map[format.Name]struct{} // by the digest of their keys and bytes
}

// mark is what is known of a pack.
type mark struct {
	kind    format.Kind
	size    int64
	written time.Time
	// locked is until when the bank does not delete it; zero if that is not known.
	locked  time.Time
	reached bool
	// groups are the offsets of the groups that are reached, in order, and stored is how
	// many bytes they have.
	groups []uint32
	stored int64
}

func newMarks(c *Collector) *marks {
	return &marks{domain: c.domain, bank: c.bank, packs: map[format.Name]*mark{}, absent: map[format.Name]struct{}{},
		doubtful: map[format.Name]struct{}{}, pages: map[format.ID]struct{}{}, manifests: map[format.Name]struct{}{}}
}

// list takes in what a listing shows. What the newest epoch condemned and is not listed is gone;
// what is listed of it may be.
func (m *marks) list(ctx context.Context, previous *session.Epoch) error {
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		err := m.domain.EachPack(ctx, kind, func(name format.Name, i bank.Info) error {
			m.packs[name] = &mark{kind: kind, size: i.Size, written: i.ModTime, locked: i.LockedUntil}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if previous == nil {
		return nil
	}
	for name := range previous.Condemned {
		if m.packs[name] == nil {
			m.absent[name] = struct{}{}
		} else {
			m.doubtful[name] = struct{}{}
		}
	}
	return nil
}

func (m *marks) listed() (packs int, bytes int64) {
	for _, p := range m.packs {
		bytes += p.size
	}
	return len(m.packs), bytes
}

// stored gives how many bytes of the packs are reached.
func (m *marks) stored() (bytes int64) {
	for _, p := range m.packs {
		bytes += p.stored
	}
	return bytes
}

// there reports whether a pack is in the bank. What the listing does not show, or the newest
// epoch condemned, is asked for by its key, under either kind.
func (m *marks) there(ctx context.Context, name format.Name) (bool, error) {
	m.mu.Lock()
	p := m.packs[name]
	_, absent := m.absent[name]
	_, doubtful := m.doubtful[name]
	m.mu.Unlock()
	if absent || p != nil && !doubtful {
		return !absent, nil
	}
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		if p != nil && p.kind != kind {
			continue
		}
		i, err := m.bank.Stat(ctx, dedup.PackKey(m.domain.Name(), kind, name))
		if karbor.KindOf(err) == karbor.NotFound {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("looking for the pack %s: %w", name, err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.doubtful, name)
		if m.packs[name] == nil {
			m.packs[name] = &mark{kind: kind, size: i.Size, written: i.ModTime, locked: i.LockedUntil}
		}
		return true, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.packs, name)
	m.absent[name] = struct{}{}
	return false, nil
}

// reach marks a group, if its pack is there.
func (m *marks) reach(ctx context.Context, l *dedup.Location) (bool, error) {
	there, err := m.there(ctx, l.Pack)
	if err != nil || !there {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.packs[l.Pack]
	p.reached = true
	offset := uint32(l.Offset)
	if n := len(p.groups); n > 0 && p.groups[n-1] == offset {
		return true, nil
	}
	if at, marked := slices.BinarySearch(p.groups, offset); !marked {
		p.groups = slices.Insert(p.groups, at, offset)
		p.stored += int64(l.Stored)
	}
	return true, nil
}

// walked reports whether a page was walked through.
func (m *marks) walked(page format.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, walked := m.pages[page]
	return walked
}

// walk notes that a page was walked through, and all that it reaches is marked.
func (m *marks) walk(page format.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages[page] = struct{}{}
}

// mark takes in which packs are marked as damaged. If some were not before, nothing
// counts as walked through any more, and again is true.
func (m *marks) mark(damaged map[format.Name]bool) (again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range damaged {
		again = again || !m.damaged[name]
	}
	if m.damaged = damaged; again {
		clear(m.pages)
		clear(m.manifests)
	}
	return again
}

// distrusts reports whether a pack is marked as damaged.
func (m *marks) distrusts(pack format.Name) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.damaged[pack]
}

// left counts packs that nothing reaches and that are left alone.
type left struct {
	young, locked int
	// unlocked is when the lock of the first of them ends.
	unlocked time.Time
}

// lock notes until when a pack is locked; a longer lock that is known stays.
func (m *marks) lock(p *mark, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until.After(p.locked) {
		p.locked = until
	}
}

// unreached gives the packs that nothing reaches, those with the smallest names first, and which were
// left alone: those that were written after a time, and those that are locked now.
func (m *marks) unreached(before, now time.Time) (out []format.Name, alone left) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, p := range m.packs {
		switch {
		case p.reached:
		case p.locked.After(now):
			if alone.locked++; alone.locked == 1 || p.locked.Before(alone.unlocked) {
				alone.unlocked = p.locked
			}
		case p.written.After(before):
			alone.young++
		default:
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b format.Name) int { return slices.Compare(a[:], b[:]) })
	return out, alone
}
