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

// folders makes, removes and syncs folders. Those who write into one folder at
// the same time share it, and its syncs.
type folders struct {
	tree *tree

	mu sync.Mutex
	// durable holds folders whose entry in the folder above is on the disk, or gets there
	// before what is made in it.
	durable map[string]bool
	// shared are the folders that are being written into, by path. One that was
	// removed is not among them, even if it is still open.
	shared map[string]*folder
	// removals counts removed folders: what was found out before one does not
	// count after it.
	removals uint64
}

// maxDurable bounds the folders that are remembered; when there are more, all
// are forgotten, and synced once more when they are next used.
const maxDurable = 16384

// folder is an open folder.
type folder struct {
	path string
	file *os.File

	users     int        // guarded by folders.mu
	demanded  uint64     // guarded by folders.mu: demands for syncs
	running   sync.Mutex // held while syncing
	satisfied uint64     // guarded by running
}

func newFolders(t *tree) *folders {
	return &folders{tree: t, durable: map[string]bool{}, shared: map[string]*folder{}}
}

// open opens a folder to write into, after making it and those above durably. It
// may be removed at any time: then a write into it finds that it does not exist.
// The caller releases it.
func (f *folders) open(path string) (*folder, error) {
	f.mu.Lock()
	if d := f.shared[path]; d != nil {
		d.users++
		f.mu.Unlock()
		return d, nil
	}
	f.mu.Unlock()
	file, err := f.make(path)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	if d := f.shared[path]; d != nil {
		d.users++
		f.mu.Unlock()
		return d, file.Close()
	}
	defer f.mu.Unlock()
	d := &folder{path: path, file: file, users: 1}
	f.shared[path] = d
	return d, nil
}

// release lets go of a folder.
func (f *folders) release(d *folder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.users--; d.users > 0 {
		return nil
	}
	f.unshare(d)
	return d.file.Close()
}

// unshare keeps others from using an open folder. The caller holds mu.
func (f *folders) unshare(d *folder) {
	if f.shared[d.path] == d {
		delete(f.shared, d.path)
	}
}

// discard notes that an open folder has been removed.
func (f *folders) discard(d *folder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unshare(d)
	f.forget(d.path)
}

// forget drops what is remembered of a folder and those above. The caller holds
// mu.
func (f *folders) forget(path string) {
	for _, dir := range andAbove(path) {
		delete(f.durable, dir)
	}
}

// make opens a folder after making it and those above, durably, or such that they are so
// with the next change of a folder that is. It begins below
// the deepest one that is known to be durable.
func (f *folders) make(path string) (*os.File, error) {
	dirs := andAbove(path)
	f.mu.Lock()
	removals, known := f.removals, 0
	for known < len(dirs) && f.durable[dirs[known]] {
		known++
	}
	f.mu.Unlock()
	above := "."
	if known > 0 {
		above = dirs[known-1]
	}
	at, err := f.tree.openFolder(above)
	if errors.Is(err, fs.ErrNotExist) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forget(path)
	}
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs[known:] {
		below, err := f.makeOne(at, dir)
		if err = errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = below
	}
	f.remember(dirs[known:], removals)
	return at, nil
}

// makeOne makes a folder in the one above, durably unless what is made in it later does
// that, and opens it.
func (f *folders) makeOne(above *os.File, path string) (*os.File, error) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if err := newFolder(above, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if !f.tree.durable.ordered {
		if err := f.tree.sync(above); err != nil {
			return nil, err
		}
	}
	return f.tree.openFolder(path)
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

// removeEmpty removes a folder and those above that are empty, from the bottom.
func (f *folders) removeEmpty(path string) error {
	for _, dir := range slices.Backward(andAbove(path)) {
		err := f.remove(dir)
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

// remove removes an empty folder.
func (f *folders) remove(path string) error {
	in, name := split(path)
	above, err := f.tree.openFolder(in)
	if err != nil {
		return err
	}
	f.mu.Lock()
	if err = removeFolder(above, name); !errors.Is(err, syscall.ENOTEMPTY) {
		delete(f.durable, path)
		delete(f.shared, path)
		f.removals++
	}
	f.mu.Unlock()
	return errors.Join(err, above.Close())
}

// sync makes the entries of a folder durable. Demands that come while a sync runs
// are met by one sync after it.
func (f *folders) sync(d *folder) error {
	f.mu.Lock()
	d.demanded++
	mine := d.demanded
	f.mu.Unlock()
	d.running.Lock()
	defer d.running.Unlock()
	if d.satisfied >= mine {
		return nil
	}
	f.mu.Lock()
	all := d.demanded
	f.mu.Unlock()
	if err := f.tree.sync(d.file); err != nil {
		return fmt.Errorf("making the folder %s durable: %w", d.path, err)
	}
	d.satisfied = all
	return nil
}
