package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// staleAfter is the age at which a temporary file was left by a crash: no write
// of one object takes so long.
const staleAfter = 24 * time.Hour

// Bank is a bank in a folder. See bank.Bank.
type Bank struct {
	tree    *tree
	folders *folders
	buffers sync.Pool
	reserve reserve
	empties empties
	windows windows

	clockMu sync.Mutex
	clock   *os.File // its time of change, after a write, is the bank's time
}

// Open opens the bank, makes its folder if need be, and removes the temporary
// files that a crash left more than a day ago.
func Open(ctx context.Context, o Options) (*Bank, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Path, 0o700); err != nil {
		return nil, fmt.Errorf("making the bank's folder: %w", classify(err))
	}
	tree, err := openTree(o.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the bank's folder: %w", classify(err))
	}
	tree.durable = durabilityOf(tree.top)
	b := &Bank{tree: tree, folders: newFolders(tree)}
	b.buffers.New = func() any { buf := make([]byte, 256<<10); return &buf }
	if err := b.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the bank's folder: %w", classify(err)), b.Close())
	}
	return b, nil
}

func (b *Bank) prepare(ctx context.Context) error {
	if err := b.tree.root.Mkdir(tempFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	clock, err := b.tree.root.OpenFile(clockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	b.clock = clock
	if err := b.openReserve(); err != nil {
		return err
	}
	now, err := b.Now(ctx)
	if err != nil {
		return err
	}
	return b.removeStale(now)
}

// removeStale removes old temporary files.
func (b *Bank) removeStale(now time.Time) error {
	dir, err := b.tree.root.Open(tempFolder)
	if err != nil {
		return err
	}
	entries, err := dir.ReadDir(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if now.Sub(info.ModTime()) < staleAfter {
			continue
		}
		if err := b.tree.root.RemoveAll(tempFolder + "/" + e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// Get implements bank.Bank.
func (b *Bank) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := bank.CheckOffset(offset); err != nil {
		return nil, err
	}
	f, info, err := b.open(ctx, key)
	if err != nil {
		return nil, err
	}
	n := max(0, info.Size()-offset)
	if length >= 0 {
		n = min(n, length)
	}
	return &reader{ctx: ctx, key: key, file: f, section: io.NewSectionReader(f, offset, n)}, nil
}

// Stat implements bank.Bank.
func (b *Bank) Stat(ctx context.Context, key string) (bank.Info, error) {
	f, info, err := b.open(ctx, key)
	if err != nil {
		return bank.Info{}, err
	}
	if err := f.Close(); err != nil {
		return bank.Info{}, fmt.Errorf("describing %s: %w", key, classify(err))
	}
	return bank.Info{Key: key, Size: info.Size(), ModTime: info.ModTime()}, nil
}

// open opens the file of a key for reading.
func (b *Bank) open(ctx context.Context, key string) (*os.File, fs.FileInfo, error) {
	if err := bank.CheckKey(key); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	// Without waiting, lest a named pipe in the folder stop us.
	f, err := b.tree.open(path(key), syscall.O_NONBLOCK)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil, karbor.Errorf(karbor.NotFound, "there is no object %s", key)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", key, classify(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening %s: %w", key, classify(err)), f.Close())
	}
	return f, info, nil
}

// Delete implements bank.Bank. It removes folders that become empty. It does not
// wait until that is on the disk.
func (b *Bank) Delete(ctx context.Context, key string) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	in, name := split(path(key))
	folder, err := b.tree.openFolder(in)
	if err == nil {
		err = removeFile(folder, name)
		if errors.Is(err, syscall.EISDIR) {
			err = nil // a folder is no object
		}
		err = errors.Join(err, folder.Close())
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = nil // still look at the folders, which an earlier crash may have left
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", key, classify(err))
	}
	return b.folders.removeEmpty(in)
}

// Now implements bank.Bank: the time by the clock that gives files their times,
// which for a network file system is the server's.
func (b *Bank) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	b.clockMu.Lock()
	defer b.clockMu.Unlock()
	_, err := b.clock.WriteAt([]byte{'\n'}, 0)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the bank's clock: %w", classify(err))
	}
	info, err := b.clock.Stat()
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the bank's clock: %w", classify(err))
	}
	return info.ModTime(), nil
}

// Traits implements bank.Bank.
func (b *Bank) Traits() bank.Traits {
	return bank.Traits{AtomicCreate: true, ConsistentList: true, Streams: true}
}

// Close implements bank.Bank.
func (b *Bank) Close() error {
	var err error
	if b.clock != nil {
		err = b.clock.Close()
	}
	b.empties.mu.Lock()
	defer b.empties.mu.Unlock()
	return errors.Join(err, b.empties.close(), b.reserve.close(), b.tree.close())
}

// reader reads a part of a file until its context ends.
type reader struct {
	ctx     context.Context
	key     string
	file    *os.File
	section *io.SectionReader
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.section.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading %s: %w", r.key, classify(err))
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.file.Close() }
