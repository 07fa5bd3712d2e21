package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Options of Open.
type Options struct {
	// Folder is where the cache lies. It is made if it is not there, and belongs to one
	// Index of one process at a time. Required.
	Folder string
	// Repository is the one whose index it is; a cache of another is thrown away.
	Repository format.RepositoryID
	// Logger is told of damage and of merges that failed; nil is nobody.
	Logger *slog.Logger
	// Memtable is how many entries are held in memory before they are written; 0 is
	// 262,144, about 18 MiB.
	Memtable int

	hook func(operation, name string) error
}

const memtableLimit = 1 << 18

// errClosed is what a call after Close gets.
var errClosed = karbor.Errorf(karbor.Conflict, "the index cache is closed")

// Index is a dedup.SegmentIndex in a folder. Its methods may be called concurrently. When it
// finds its files damaged, look-ups fail with a *format.DamageError until Sync or the next
// Open, which begin anew. The owner closes it.
type Index struct {
	options Options
	folder  *folder
	locked  *os.File
	logger  *slog.Logger

	// Locks, in the order in which they may be taken. syncing is held by Sync, adding
	// while packs are taken in, saving while the runs or the state change, files while
	// runs are read (shared) or closed; mu guards what follows it.
	syncing, adding, saving sync.Mutex
	files, mu               sync.RWMutex

	state  *state // its runs are those of the list below
	runs   []*run // the oldest first; the list itself never changes
	memory *memtable
	broken error
	closed bool
	// mergeFailed says that the last merge did.
	mergeFailed bool
	// unsaved says that the last write to the folder failed; adding guards it.
	unsaved bool

	cancel context.CancelFunc // ends the merger
	merger sync.WaitGroup
	wake   chan struct{} // asks the merger to look
	merged chan struct{} // says that it has looked
	stop   context.Context
}

var _ dedup.SegmentIndex = (*Index)(nil)

// Open opens the cache in a folder. A folder that another Index has open is a
// karbor.Conflict. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Index, error) {
	if o.Memtable <= 0 {
		o.Memtable = memtableLimit
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Index{options: o, logger: o.Logger, wake: make(chan struct{}, 1), merged: make(chan struct{}, 1)}
	if err := x.openFolder(ctx); err != nil {
		return nil, fmt.Errorf("opening the index cache %s: %w", o.Folder, err)
	}
	x.stop, x.cancel = context.WithCancel(context.WithoutCancel(ctx))
	x.merger.Go(func() { x.mergeUntil(x.stop) })
	x.wakeMerger()
	return x, nil
}

func (x *Index) openFolder(ctx context.Context) error {
	if err := os.MkdirAll(x.options.Folder, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(x.options.Folder)
	if err != nil {
		return err
	}
	x.folder = &folder{root: root, hook: x.options.hook}
	if x.locked, err = x.folder.lock(); err != nil {
		return joinClose(err, root)
	}
	x.memory = newMemtable(x.options.Memtable)
	if err := x.load(ctx); err != nil {
		err = errors.Join(err, x.closeRuns())
		return joinClose(joinClose(err, x.locked), root)
	}
	return nil
}

// load reads what is in the folder, or begins anew.
func (x *Index) load(ctx context.Context) error {
	err := x.loadState(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, damaged := errors.AsType[*format.DamageError](err); damaged || errors.Is(err, fs.ErrNotExist) {
		if !errors.Is(err, fs.ErrNotExist) || len(x.runs) > 0 {
			x.logger.Warn("the index cache is thrown away", "folder", x.options.Folder, "error", err)
		}
		return x.reset()
	}
	if err != nil {
		return err
	}
	return x.sweep()
}

func (x *Index) loadState(ctx context.Context) error {
	o, err := x.folder.root.Open(stateName)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // it was only read
	info, err := o.Stat()
	if err != nil {
		return err
	}
	if info.Size() > maxState {
		return damage("state", "it has %d bytes", info.Size())
	}
	b := make([]byte, info.Size())
	if _, err := o.ReadAt(b, 0); err != nil {
		return damage("state", "it can't be read: %v", err)
	}
	if x.state, err = parseState(b, x.options.Repository); err != nil {
		return err
	}
	for _, i := range x.state.runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := x.folder.openRun(i.number, x.options.Repository)
		if err != nil {
			return err
		}
		x.runs = append(x.runs, r)
		if r.entries != i.entries {
			return damage("run", "%s has %d entries, not %d", r.name, r.entries, i.entries)
		}
		if err := r.load(); err != nil {
			return err
		}
	}
	x.forgetUnnamed()
	return nil
}

// forgetUnnamed removes the packs that no segment names which was taken in as a whole:
// they are of sessions that ended before they had said what they stored.
func (x *Index) forgetUnnamed() {
	numbers := make(map[uint32]bool, len(x.state.segments))
	for _, g := range x.state.segments {
		if !g.superseded {
			numbers[g.number] = true
		}
	}
	x.state.packs.removeIf(func(p *pack) bool { return !numbers[p.segment] })
}

// sweep removes the files that do not count.
func (x *Index) sweep() error {
	names, err := x.folder.names()
	if err != nil {
		return err
	}
	counts := map[string]bool{}
	for _, r := range x.runs {
		counts[r.name] = true
	}
	for _, name := range names {
		if name == stateNew || strings.HasPrefix(name, "run-") && !counts[name] {
			if err := x.folder.remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// reset throws everything away. The state goes first: without it no run counts.
func (x *Index) reset() error {
	x.saving.Lock()
	defer x.saving.Unlock()
	if err := x.folder.remove(stateName); err != nil {
		return err
	}
	x.mu.Lock()
	runs, next := x.runs, uint64(1)
	if x.state != nil {
		next = x.state.nextRun // the merger may still be writing one
	}
	x.runs, x.state = nil, newState(x.options.Repository)
	x.state.nextRun = next
	x.memory.clear()
	x.broken = nil
	x.mu.Unlock()
	return errors.Join(x.retire(runs), x.sweep())
}

// retire closes runs that are in the list no more.
func (x *Index) retire(runs []*run) error {
	x.files.Lock()
	defer x.files.Unlock()
	var failed []error
	for _, r := range runs {
		failed = append(failed, r.close())
	}
	return errors.Join(failed...)
}

func (x *Index) closeRuns() error {
	x.mu.Lock()
	runs := x.runs
	x.runs = nil
	x.mu.Unlock()
	return x.retire(runs)
}

// Find implements dedup.Index. Of several places of an id it gives the one in the pack that
// was taken in last.
func (x *Index) Find(kind format.Kind, id format.ID) (dedup.Location, bool, error) {
	x.files.RLock()
	defer x.files.RUnlock()
	var name format.Name
	accept := func(e *entry) bool {
		p := x.state.packs.get(e.pack)
		if p == nil || p.kind != kind {
			return false
		}
		name = p.name
		return true
	}
	x.mu.RLock()
	err := x.usable()
	e := x.memory.find(&id, accept)
	if err != nil || e != nil {
		defer x.mu.RUnlock()
		if err != nil {
			return dedup.Location{}, false, err
		}
		return e.location(name), true, nil
	}
	runs := x.runs
	x.mu.RUnlock()
	locked := func(e *entry) bool {
		x.mu.RLock()
		defer x.mu.RUnlock()
		return accept(e)
	}
	for _, r := range slices.Backward(runs) {
		e, ok, err := r.find(&id, locked)
		if err != nil {
			x.breakDown(err, r)
			return dedup.Location{}, false, fmt.Errorf("looking up %s: %w", id, err)
		}
		if ok {
			return e.location(name), true, nil
		}
	}
	return dedup.Location{}, false, nil
}

// usable tells why the index is of no use. Its caller holds mu.
func (x *Index) usable() error {
	if x.closed {
		return errClosed
	}
	return x.broken
}

// breakDown notes that a run is damaged. The state is removed, so that not even the next
// process trusts it.
func (x *Index) breakDown(err error, r *run) {
	x.mu.Lock()
	first := x.broken == nil && !x.closed && slices.Contains(x.runs, r)
	if first {
		x.broken = err
	}
	x.mu.Unlock()
	if first {
		x.logger.Warn("the index cache is damaged", "folder", x.options.Folder, "error", err)
		if err := x.folder.remove(stateName); err != nil {
			x.logger.Warn("the damaged index cache could not be removed", "folder", x.options.Folder, "error", err)
		}
	}
}

// Stats describes an index.
type Stats struct {
	// Entries in runs and in memory, those of removed packs among them.
	Entries int64
	// Packs and Segments that are known, and Runs on disk.
	Packs, Segments, Runs int
	// Disk is how many bytes the runs have, Filters how many of memory their filters.
	Disk, Filters int64
}

// Stats tells how large the index is now.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := Stats{Entries: int64(len(x.memory.entries)), Packs: len(x.state.packs.byName), Segments: len(x.state.segments), Runs: len(x.runs)}
	for _, r := range x.runs {
		s.Entries += int64(r.entries)
		s.Disk += r.size()
		s.Filters += int64(len(r.starts))
		if f := r.filter.Load(); f != nil {
			s.Filters += int64(len(f.memory))
		}
	}
	return s
}

// Close writes what is in memory, ends the background's work and closes the files.
func (x *Index) Close() error {
	x.cancel()
	x.merger.Wait()
	x.adding.Lock()
	defer x.adding.Unlock()
	x.mu.RLock()
	err := x.usable()
	closed := x.closed
	x.mu.RUnlock()
	if closed {
		return nil
	}
	if err == nil {
		err = x.flush()
	} else {
		err = nil // the state is gone already
	}
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	err = errors.Join(err, x.closeRuns(), x.locked.Close(), x.folder.root.Close())
	if err != nil {
		return fmt.Errorf("closing the index cache %s: %w", x.options.Folder, err)
	}
	return nil
}
