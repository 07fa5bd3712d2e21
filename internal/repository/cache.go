package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
)

// cacheFolder is where the index caches of domains lie.
type cacheFolder struct {
	path string

	mu sync.Mutex
	// temporary is the folder of those that don't lie in path; "" as long as there is none.
	temporary string
	locked    io.Closer // tells other processes that temporary is in use; nil for nothing
}

// temporaryName is how the names of temporary folders begin.
const temporaryName = "karbor-index-"

// open opens the cache of a domain. Without a folder, or where that can't be used or another
// process has it open, it lies in a temporary one, which is given, too: who closes the index
// removes it. So it is if temporary says so.
func (c *cacheFolder) open(ctx context.Context, domain string, o index.Options, temporary bool) (*index.Index, string, error) {
	if c.path != "" && !temporary {
		o.Folder = filepath.Join(c.path, domain)
		x, err := index.Open(ctx, o)
		switch {
		case err == nil:
			return x, "", nil
		case ctx.Err() != nil:
			return nil, "", err
		case karbor.KindOf(err) == karbor.Conflict:
			o.Logger.WarnContext(ctx, "another process has the index cache open: a temporary one is made", "folder", o.Folder)
		default:
			o.Logger.WarnContext(ctx, "the index cache can't be used: a temporary one is made", "folder", o.Folder, "error", err)
		}
	}
	base, err := c.temporaryFolder()
	if err != nil {
		return nil, "", err
	}
	// A domain that is opened again begins anew: the name is one that was never there.
	if o.Folder, err = os.MkdirTemp(base, domain+"-"); err != nil {
		return nil, "", &index.FolderError{Folder: base, Cause: err}
	}
	x, err := index.Open(ctx, o)
	if err != nil {
		err = errors.Join(err, os.RemoveAll(o.Folder))
		if ctx.Err() == nil {
			err = &index.FolderError{Folder: o.Folder, Cause: err}
		}
		return nil, "", err
	}
	return x, o.Folder, nil
}

func (c *cacheFolder) temporaryFolder() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.temporary != "" {
		return c.temporary, nil
	}
	path, err := os.MkdirTemp("", temporaryName)
	if err != nil {
		return "", &index.FolderError{Folder: os.TempDir(), Cause: err}
	}
	c.locked, err = index.Lock(path)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return "", &index.FolderError{Folder: path, Cause: errors.Join(err, os.RemoveAll(path))}
	}
	c.temporary = path
	return path, nil
}

// remove removes what is temporary.
func (c *cacheFolder) remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.temporary == "" {
		return nil
	}
	err := os.RemoveAll(c.temporary)
	c.temporary = ""
	if c.locked != nil {
		err = errors.Join(err, c.locked.Close())
		c.locked = nil
	}
	return err
}

// newborn is how old a temporary folder must be before it counts that nobody has locked it.
const newborn = time.Minute

// sweep removes the temporary folders of processes that were killed.
func (c *cacheFolder) sweep(now time.Time) error {
	paths, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryName+"*"))
	if err != nil {
		return fmt.Errorf("looking for old index caches: %w", err)
	}
	var failed []error
	for _, path := range paths {
		// Without the file it is no such folder, or another user's.
		info, err := os.Lstat(filepath.Join(path, index.LockName))
		if err != nil || now.Sub(info.ModTime()) < newborn {
			continue
		}
		locked, err := index.Lock(path)
		if err != nil {
			continue // it is in use
		}
		failed = append(failed, os.RemoveAll(path), locked.Close())
	}
	return errors.Join(failed...)
}

// isDamage reports whether an error says that bytes are not what they should be, or are not
// there: what a newer index may mend.
func isDamage(err error) bool {
	_, damaged := errors.AsType[*format.DamageError](err)
	return damaged || err != nil && karbor.KindOf(err) == karbor.NotFound
}
