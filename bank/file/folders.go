package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
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

// make makes the folders above a path, durably. It walks down from the deepest
// one that is known to be durable.
func (f *folders) make(path string) error {
	dirs := parents(path)
	f.mu.Lock()
	removals, known := f.removals, 0
	for known < len(dirs) && f.durable[dirs[known]] {
		known++
	}
	f.mu.Unlock()
	if known == len(dirs) {
		return nil
	}
	at, above := f.root, ""
	if known > 0 {
		above = dirs[known-1]
		sub, err := f.root.OpenRoot(above)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile: moving fails, and we start again
		}
		if err != nil {
			return err
		}
		at = sub
	}
	for _, dir := range dirs[known:] {
		below, err := makeOne(at, strings.TrimPrefix(dir[len(above):], "/"))
		if at != f.root {
			err = errors.Join(err, at.Close())
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // as above
		}
		if err != nil {
			return err
		}
		at, above = below, dir
	}
	f.remember(dirs[known:], removals)
	return at.Close()
}

// makeOne makes the folder name in at, syncs at, and opens the folder.
func makeOne(at *os.Root, name string) (*os.Root, error) {
	if err := at.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := at.Open(".")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return nil, err
	}
	return at.OpenRoot(name)
}

// remember notes folders as durable, unless some folder was removed since the
// count of removals was taken.
func (f *folders) remember(dirs []string, removals uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.removals != removals {
		return
	}
	if len(f.durable)+len(dirs) > maxDurable {
		clear(f.durable)
	}
	for _, dir := range dirs {
		f.durable[dir] = true
	}
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
