package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	if err := l.folder(ctx, l.start()); err != nil {
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
func (l *listing) folder(ctx context.Context, base string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := l.read(base)
	if err != nil {
		return err
	}
	for _, i := range items(base, entries, l.prefix, l.marker) {
		if len(l.infos) == l.limit {
			return nil
		}
		if i.isFolder() {
			if err := l.folder(ctx, i.key); err != nil {
				return err
			}
			continue
		}
		if bank.CheckKey(i.key) != nil {
			continue // not ours
		}
		info, err := i.entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		l.infos = append(l.infos, bank.Info{Key: i.key, Size: info.Size(), ModTime: info.ModTime()})
	}
	return nil
}

// read reads a folder. One that is not there has no entries.
func (l *listing) read(base string) ([]fs.DirEntry, error) {
	name := "."
	if base != "" {
		name = strings.TrimSuffix(base, "/")
		if bank.CheckKey(name) != nil {
			return nil, nil // no key begins so
		}
	}
	dir, err := l.bank.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := dir.ReadDir(-1)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = nil // removed meanwhile
	}
	return entries, errors.Join(err, dir.Close())
}
