package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
)

// folders makes, removes and syncs folders. Syncs of one folder that are asked
// for while one is under way are done as one.
type folders struct {
	root *os.Root

	mu sync.Mutex
	// durable holds folders whose entry in the folder above is on the disk.
	durable map[string]bool
	syncs   map[string]*folderSync
	// removals counts removed folders: what was found out before one does not
	// count after it.
	removals uint64
}

// maxDurable bounds the folders that are remembered; when there are more, all
// are forgotten, and synced once more when they are next used.
const maxDurable = 16384

// folderSync counts the demands for syncs of a folder.
type folderSync struct {
	users     int        // guarded by folders.mu
	demanded  uint64     // guarded by folders.mu
	running   sync.Mutex // held while syncing
	satisfied uint64     // guarded by running
}

func newFolders(root *os.Root) *folders {
	return &folders{root: root, durable: map[string]bool{}, syncs: map[string]*folderSync{}}
}

// make makes the folders above a path, durably.
func (f *folders) make(path string) error {
	for _, dir := range parents(path) {
		f.mu.Lock()
		known, removals := f.durable[dir], f.removals
		f.mu.Unlock()
		if known {
			continue
		}
		if err := f.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed above us meanwhile: moving fails, and we start again
			}
			return err
		}
		if err := f.sync(folderOf(dir)); err != nil {
			return err
		}
		f.mu.Lock()
		if len(f.durable) >= maxDurable {
			clear(f.durable)
		}
		if f.removals == removals {
			f.durable[dir] = true
		}
		f.mu.Unlock()
	}
	return nil
}

// forget drops what is remembered of the folders above a path.
func (f *folders) forget(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, dir := range parents(path) {
		delete(f.durable, dir)
	}
}

// removeEmpty removes the folders above a path that are empty, from the bottom.
func (f *folders) removeEmpty(path string) error {
	for _, dir := range slices.Backward(parents(path)) {
		f.mu.Lock()
		delete(f.durable, dir)
		f.removals++
		err := f.root.Remove(dir)
		f.mu.Unlock()
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR):
			return nil
		default:
			return fmt.Errorf("removing an empty folder: %w", classify(err))
		}
	}
	return nil
}

// sync makes the entries of a folder durable. A folder that is gone has none.
func (f *folders) sync(dir string) error {
	f.mu.Lock()
	s := f.syncs[dir]
	if s == nil {
		s = &folderSync{}
		f.syncs[dir] = s
	}
	s.users++
	s.demanded++
	mine := s.demanded
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(f.syncs, dir)
		}
	}()
	s.running.Lock()
	defer s.running.Unlock()
	if s.satisfied >= mine {
		return nil
	}
	f.mu.Lock()
	all := s.demanded
	f.mu.Unlock()
	if err := f.syncNow(dir); err != nil {
		return fmt.Errorf("making the folder %s durable: %w", dir, classify(err))
	}
	s.satisfied = all
	return nil
}

func (f *folders) syncNow(dir string) error {
	d, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
