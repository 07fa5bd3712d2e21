package file

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sharedFor is how long objects without bytes are hard links to one file, which so
// has the time at which the first of them was written.
const sharedFor = time.Second

// empties makes the files of objects without bytes. To make a new file takes a file
// system several times as long as to give one a further name: it has to find, fill in
// and write an inode. So those that are written within a moment share one.
type empties struct {
	mu   sync.Mutex
	file *os.File // nil, or the one that is shared
	drop *time.Timer
}

// make makes an empty file in a folder, unless there is something by that name. With sync
// a new file is synced; synced says that its name is durable already by that.
func (e *empties) make(t *tree, folder *os.File, name string, sync bool) (synced bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file != nil {
		err := inFolder("link", folder, name, func(at int, name string) error {
			return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(e.file.Fd())), at, name, unix.AT_SYMLINK_FOLLOW)
		})
		if err == nil || errors.Is(err, fs.ErrExist) {
			return false, err
		}
		// There is no /proc, or all its names were removed, or it has as many as it
		// can: or the folder was removed, which shows again.
	}
	f, err := newFile(folder, name)
	if err != nil {
		return false, err
	}
	if sync {
		if err := t.sync(f); err != nil {
			return false, errors.Join(err, f.Close())
		}
	}
	err = e.close()
	e.file = f
	e.drop = time.AfterFunc(sharedFor, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.file == f {
			_ = e.close() // nothing was written through it
		}
	})
	return sync && t.durable.names, err
}

// close lets go of the shared file. The caller holds mu.
func (e *empties) close() error {
	if e.file == nil {
		return nil
	}
	e.drop.Stop()
	f := e.file
	e.file = nil
	return f.Close()
}
