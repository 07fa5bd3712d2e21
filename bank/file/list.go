package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/karbor/karbor/bank"
)

// List implements bank.Bank. It reads only folders that can hold keys of the
// page.
func (b *Bank) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := bank.CheckLimit(limit); err != nil {
		return nil, err
	}
	l := &listing{bank: b, prefix: prefix, marker: marker, limit: limit}
	if err := l.folder(ctx, l.start(), syscall.O_DIRECTORY); err != nil {
		return nil, fmt.Errorf("listing %q: %w", prefix, classify(err))
	}
	return l.infos, nil
}

// listing is one List under way.
type listing struct {
	bank           *Bank
	prefix, marker string
	limit          int
	infos          []bank.Info
}

// start gives the key prefix of the deepest folder that holds all keys with the
// prefix.
func (l *listing) start() string {
	i := strings.LastIndexByte(l.prefix, '/')
	if i < 0 {
		return ""
	}
	return l.prefix[:i+1]
}

// folder adds the keys of the folder with key prefix base, "" or ending in "/".
func (l *listing) folder(ctx context.Context, base string, flags int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, err := l.open(base, flags)
	if err != nil || dir == nil {
		return err
	}
	return errors.Join(l.entries(ctx, base, dir), dir.Close())
}

// open opens a folder. One that is not there is nil.
func (l *listing) open(base string, flags int) (*os.File, error) {
	name := "."
	if base != "" {
		name = strings.TrimSuffix(base, "/")
		if bank.CheckKey(name) != nil {
			return nil, nil // no key begins so
		}
	}
	dir, err := l.bank.tree.open(name, flags)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil, nil
	}
	return dir, err
}

// entries adds the keys of an open folder, window by window.
func (l *listing) entries(ctx context.Context, base string, dir *os.File) error {
	from := first(base, l.marker)
	for {
		w, err := l.window(ctx, dir, base, from)
		if err != nil {
			return err
		}
		items := w.rest(from)
		taken, err := l.add(ctx, dir, items)
		switch {
		case err != nil:
			return err
		case taken < len(items): // the page is full
			if w.lasting {
				l.bank.windows.keep(w)
			}
			return nil
		case !w.more:
			l.bank.windows.drop(w)
			return nil
		}
		from = items[len(items)-1].key + "\x00"
	}
}

// add adds the keys of items until the page is full, and gives the number of items that
// it has done with. What is no folder shows when it is opened, and what is no object
// when it is described.
func (l *listing) add(ctx context.Context, dir *os.File, items []item) (int, error) {
	for n, i := range items {
		if len(l.infos) == l.limit {
			return n, nil
		}
		if i.isFolder() {
			if err := l.folder(ctx, i.key, syscall.O_DIRECTORY|syscall.O_NOFOLLOW); err != nil {
				return n, err
			}
			continue
		}
		if bank.CheckKey(i.key) != nil {
			continue // not ours
		}
		size, at, err := describe(dir, i.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile, or no object
		}
		if err != nil {
			return n, err
		}
		l.infos = append(l.infos, bank.Info{Key: i.key, Size: size, ModTime: at})
	}
	return len(items), nil
}
