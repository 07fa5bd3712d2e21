package index

import (
	"errors"
	"fmt"
	"slices"

	"github.com/karbor/karbor/internal/repository/format"
)

// overfull is how many times its size the memory may have while the folder can't be written to.
const overfull = 4

// maxRuns is how many runs there may be before who adds waits for the merger.
const maxRuns = 40

// Add implements dedup.Index. A pack that is known already is left out. Packs that no segment
// names later are forgotten when the index is closed.
func (x *Index) Add(packs []format.Pack) error {
	x.adding.Lock()
	defer x.adding.Unlock()
	return x.take(packs, 0)
}

// take takes in packs that a segment names. Its caller holds adding.
func (x *Index) take(packs []format.Pack, segment uint32) error {
	for i := range packs {
		n := 0
		for j := range packs[i].Groups {
			n += len(packs[i].Groups[j].Chunks)
		}
		if !x.has(packs[i].Name) && len(x.memory.entries) > 0 && len(x.memory.entries)+n > x.options.Memtable {
			err := x.spill()
			if useless := x.keep(err); useless != nil {
				return useless
			}
			if err != nil && len(x.memory.entries)+n > overfull*x.options.Memtable {
				return &FolderError{Folder: x.options.Folder, Cause: err}
			}
		}
		if err := x.takePack(&packs[i], segment, uint32(n)); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) has(name format.Name) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.packs.named(name) != nil
}

func (x *Index) takePack(p *format.Pack, segment, entries uint32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.usable(); err != nil {
		return err
	}
	if known := x.state.packs.named(p.Name); known != nil {
		if segment != 0 {
			known.segment = segment
		}
		return nil
	}
	if x.state.packs.next == 0 {
		return fmt.Errorf("the index cache has no number left for the pack %s", p.Name)
	}
	number := x.state.packs.add(&pack{name: p.Name, kind: p.Kind, segment: segment, entries: entries, volatile: true})
	for i := range p.Groups {
		g := &p.Groups[i]
		within := 0
		for _, c := range g.Chunks {
			x.memory.add(&entry{id: c.ID, pack: number, offset: uint32(g.Offset), stored: uint32(g.Stored),
				raw: uint32(g.Raw), within: uint32(within), length: uint32(c.Length)})
			within += c.Length
		}
	}
	return nil
}

// Remove forgets packs, such as those that the collector condemned: what they hold is
// not found any more, unless they are added again. It is durable when it returns.
func (x *Index) Remove(names []format.Name) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	if err := x.usable(); err != nil {
		x.mu.Unlock()
		return err
	}
	some := false
	for _, name := range names {
		if p := x.state.packs.named(name); p != nil {
			x.state.packs.remove(p)
			some = true
		}
	}
	x.state.packs.shrink()
	runs := x.runs
	x.mu.Unlock()
	if !some {
		return nil
	}
	x.wakeMerger()
	return x.save(runs)
}

// save writes the state with the given runs. Its caller holds saving.
func (x *Index) save(runs []*run) error {
	x.mu.Lock()
	if err := x.usable(); err != nil {
		x.mu.Unlock()
		return err
	}
	s := *x.state
	s.runs = nil
	for _, r := range runs {
		s.runs = append(s.runs, runInfo{r.number, r.entries})
	}
	text := s.encode()
	x.mu.Unlock()
	err := x.folder.save(text)
	x.mu.RLock()
	broken := x.broken
	x.mu.RUnlock()
	if broken != nil { // just now: who found it may have removed the state before this one
		err = errors.Join(broken, err, x.folder.remove(stateName))
	}
	return err
}

// flush writes what is in memory, and the state. Its caller holds adding.
func (x *Index) flush() error {
	if len(x.memory.entries) > 0 {
		return x.spill()
	}
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	x.settle()
	runs := x.runs
	x.mu.Unlock()
	return x.save(runs)
}

// settle says that all that was taken in is in runs. Its caller holds mu.
func (x *Index) settle() {
	x.state.packs.settle()
	for name, g := range x.state.segments {
		g.durable = true
		x.state.segments[name] = g
	}
}

// spill writes the entries in memory as a run. Its caller holds adding. When it fails,
// they stay where they are.
func (x *Index) spill() error {
	x.waitForMerger()
	r, err := x.writeMemory()
	if err != nil {
		return fmt.Errorf("writing the index cache %s: %w", x.options.Folder, err)
	}
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	if err := x.usable(); err != nil {
		x.mu.Unlock()
		return joinRun(err, r)
	}
	x.runs = append(slices.Clip(x.runs), r)
	x.memory.clear()
	x.settle()
	runs := x.runs
	x.mu.Unlock()
	x.wakeMerger()
	// Without the state, the run counts only for this process: that is no worse than memory.
	return x.save(runs)
}

func joinRun(err error, r *run) error {
	_ = r.close()
	return err
}

// writeMemory makes a run of the entries in memory, open and with its filter.
func (x *Index) writeMemory() (*run, error) {
	order := x.memory.sorted()
	w, err := x.folder.newRun(x.nextRun(), x.options.Repository, uint64(len(order)))
	if err != nil {
		return nil, err
	}
	for _, i := range order {
		if err := w.add(&x.memory.entries[i]); err != nil {
			w.abandon()
			return nil, err
		}
	}
	return x.finish(w, true)
}

// finish makes a run durable and opens it.
func (x *Index) finish(w *runWriter, filter bool) (*run, error) {
	number := w.number
	if err := w.finish(); err != nil {
		return nil, err
	}
	r, err := x.folder.openRun(number, x.options.Repository)
	if err != nil {
		return nil, err
	}
	if filter {
		if err := r.load(); err != nil {
			return nil, joinRun(err, r)
		}
	}
	return r, nil
}

func (x *Index) nextRun() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.state.nextRun
	x.state.nextRun++
	return n
}

// waitForMerger keeps the number of runs, which all look-ups go through, bounded. When
// merging fails, a run more does less harm than none.
func (x *Index) waitForMerger() {
	for {
		x.mu.RLock()
		ready := len(x.runs) < maxRuns || x.mergeFailed
		x.mu.RUnlock()
		if ready {
			return
		}
		x.wakeMerger()
		select {
		case <-x.merged:
		case <-x.stop.Done():
			return
		}
	}
}
