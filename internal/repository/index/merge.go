package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/karbor/karbor/internal/repository/format"
)

const (
	// mergeAtLeast is how many runs are merged at a time, but to drop removed packs.
	mergeAtLeast = 4
	// crowded is how many runs are too many, however large they are.
	crowded = maxRuns / 2
	// smallRun has so few entries that its filter may be in memory beside those of the
	// runs that it was merged from.
	smallRun = 8 << 20
	// cursorBlocks is how many blocks of a run are read at a time.
	cursorBlocks = 32
)

func (x *Index) wakeMerger() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// mergeUntil merges runs whenever it is woken, until ctx ends.
func (x *Index) mergeUntil(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			more, err = x.mergeOnce(ctx)
			if err != nil && ctx.Err() == nil {
				x.logger.Warn("merging runs of the index cache failed", "folder", x.options.Folder, "error", err)
			}
			x.mu.Lock()
			x.mergeFailed = err != nil
			x.mu.Unlock()
			select {
			case x.merged <- struct{}{}:
			default:
			}
		}
	}
}

// plan chooses neighbouring runs to merge: [from, to) of the list that it gives.
func (x *Index) plan() (runs []*run, from, to int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	runs = x.runs
	if x.usable() != nil {
		return runs, 0, 0
	}
	var total int64
	for _, r := range runs {
		total += int64(r.entries)
	}
	if dead := total - x.state.packs.durable(); 4*dead > total {
		return runs, 0, len(runs)
	}
	// Each run is merged when the newer ones together are twice as large: so an entry is
	// rewritten about log3 of the number of runs written from memory times.
	newer, from := int64(0), len(runs)
	for i, r := range slices.Backward(runs) {
		if len(runs)-i >= mergeAtLeast && newer >= 2*int64(r.entries) {
			from = i
		}
		newer += int64(r.entries)
	}
	if from == len(runs) && len(runs) >= crowded {
		from = len(runs) - crowded/2
	}
	return runs, from, len(runs)
}

// mergeOnce merges some runs, if there are enough; more says that it did.
func (x *Index) mergeOnce(ctx context.Context) (more bool, err error) {
	runs, from, to := x.plan()
	if from == to {
		return false, nil
	}
	inputs := runs[from:to]
	var total uint64
	for _, r := range inputs {
		total += r.entries
	}
	w, err := x.folder.newRun(x.nextRun(), x.options.Repository, total)
	if err != nil {
		return false, err
	}
	if err := x.mergeInto(ctx, w, inputs); err != nil {
		w.abandon()
		return false, err
	}
	out, err := x.finish(w, total <= smallRun)
	if err != nil {
		return false, err
	}
	if err := x.replace(inputs, from, out); err != nil {
		return false, err
	}
	return true, nil
}

// replace puts the merged run into the place of its inputs.
func (x *Index) replace(inputs []*run, from int, out *run) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.RLock()
	now := x.runs
	x.mu.RUnlock()
	if len(now) < from+len(inputs) || !slices.Equal(now[from:from+len(inputs)], inputs) {
		return errors.Join(out.close(), x.folder.remove(out.name)) // it was begun anew meanwhile
	}
	runs := slices.Clone(now[:from])
	if out.entries > 0 {
		runs = append(runs, out)
	}
	runs = append(runs, now[from+len(inputs):]...)
	if err := x.save(runs); err != nil {
		// The file stays: the state may have been replaced all the same.
		return joinRun(err, out)
	}
	x.mu.Lock()
	x.runs = runs
	x.mu.Unlock()
	names := make([]string, len(inputs))
	for i, r := range inputs {
		names[i] = r.name
	}
	err := errors.Join(x.retire(inputs), x.folder.remove(names...))
	if out.entries == 0 {
		return errors.Join(err, out.close(), x.folder.remove(out.name))
	}
	if out.filter.Load() == nil {
		if e := out.load(); e != nil {
			x.breakDown(e, out)
			err = errors.Join(err, e)
		}
	}
	return err
}

// mergeInto writes the entries of runs in order, without those of removed packs.
func (x *Index) mergeInto(ctx context.Context, w *runWriter, inputs []*run) error {
	alive := x.alive()
	var cursors []*cursor
	for _, r := range inputs {
		c := &cursor{run: r, buf: make([]byte, 0, cursorBlocks*blockSize)}
		ok, err := c.next()
		if err != nil {
			x.breakDown(err, r)
			return err
		}
		if ok {
			cursors = append(cursors, c)
		}
	}
	for n := 0; len(cursors) > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		least := 0
		for i := 1; i < len(cursors); i++ {
			if cursors[i].before(cursors[least]) {
				least = i
			}
		}
		c := cursors[least]
		if alive.has(c.entry.pack) {
			if err := w.add(&c.entry); err != nil {
				return fmt.Errorf("writing %s: %w", w.file.name, err)
			}
		}
		ok, err := c.next()
		if err != nil {
			x.breakDown(err, c.run)
			return err
		}
		if !ok {
			cursors = slices.Delete(cursors, least, least+1)
		}
	}
	return nil
}

// cursor walks through a run.
type cursor struct {
	run   *run
	entry entry
	key   uint64 // the first bits of its id
	at    uint64 // of the entry after it
	buf   []byte
}

func (c *cursor) before(d *cursor) bool {
	if c.key != d.key {
		return c.key < d.key
	}
	return c.entry.compare(&d.entry) < 0
}

// next goes to the next entry; ok is false at the end.
func (c *cursor) next() (ok bool, err error) {
	if c.at == c.run.entries {
		return false, nil
	}
	block := int64(c.at / blockEntries)
	if c.at%(blockEntries*cursorBlocks) == 0 {
		left := (int64(c.run.entries)+blockEntries-1)/blockEntries - block
		c.buf = c.buf[:min(left, cursorBlocks)*blockSize]
		for i := int64(0); i < int64(len(c.buf)); i += blockSize {
			if i == 0 {
				if _, err := c.run.file.ReadAt(c.buf, blockSize*(1+block)); err != nil {
					return false, damage("run", "block %d of %s can't be read: %v", block, c.run.name, err)
				}
			}
			if n := block + i/blockSize; !blockIntact(c.buf[i:i+blockSize], n) {
				return false, damage("run", "block %d of %s is not intact", n, c.run.name)
			}
		}
	}
	c.entry.get(c.buf[block%cursorBlocks*blockSize+int64(c.at%blockEntries)*entrySize:])
	c.key = binary.BigEndian.Uint64(c.entry.id[:])
	c.at++
	return true, nil
}

// numbers is a set of numbers of packs.
type numbers struct {
	first uint32
	bits  []uint64
}

func (n *numbers) has(number uint32) bool {
	i := uint64(number) - uint64(n.first)
	return number >= n.first && i/64 < uint64(len(n.bits)) && n.bits[i/64]>>(i%64)&1 != 0
}

// alive gives the numbers of the packs that are known now.
func (x *Index) alive() *numbers {
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.state.packs
	if len(t.numbers) == 0 {
		return &numbers{}
	}
	first := t.numbers[0]
	n := &numbers{first: first, bits: make([]uint64, (t.numbers[len(t.numbers)-1]-first)/64+1)}
	for i, number := range t.numbers {
		if t.packs[i].kind != format.Kind(0) {
			n.bits[(number-first)/64] |= 1 << ((number - first) % 64)
		}
	}
	return n
}
