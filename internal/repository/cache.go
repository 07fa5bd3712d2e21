package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

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
}

// open opens the cache of a domain. Without a folder, or where another process has it open,
// it lies in a temporary one.
func (c *cacheFolder) open(ctx context.Context, domain string, o index.Options) (*index.Index, error) {
	if c.path != "" {
		o.Folder = filepath.Join(c.path, domain)
		x, err := index.Open(ctx, o)
		if err == nil || karbor.KindOf(err) != karbor.Conflict {
			return x, err
		}
		o.Logger.WarnContext(ctx, "another process has the index cache open: a temporary one is made", "folder", o.Folder)
	}
	base, err := c.temporaryFolder()
	if err != nil {
		return nil, err
	}
	// A domain that is opened again begins anew: the name is one that was never there.
	if o.Folder, err = os.MkdirTemp(base, domain+"-"); err != nil {
		return nil, fmt.Errorf("making a folder for an index cache: %w", err)
	}
	return index.Open(ctx, o)
}

func (c *cacheFolder) temporaryFolder() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.temporary != "" {
		return c.temporary, nil
	}
	path, err := os.MkdirTemp("", "karbor-index-")
	if err != nil {
		return "", fmt.Errorf("making a folder for index caches: %w", err)
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
	return err
}

// isDamage reports whether an error says that bytes are not what they should be, or are not
// there: what a newer index may mend.
func isDamage(err error) bool {
	_, damaged := errors.AsType[*format.DamageError](err)
	return damaged || err != nil && karbor.KindOf(err) == karbor.NotFound
}
