package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// An objects is what holds the objects of a bank.
type objects interface {
	// size gives the bytes of an object; fs.ErrNotExist where it is not there.
	size(key string) (int64, error)
	// read gives n bytes from an offset on, and an error where they are not all there.
	read(key string, offset, n int64) ([]byte, error)
	// list gives all keys that begin with a prefix, in order. The prefix ends with a slash.
	list(prefix string) ([]string, error)
}

// readWhole gives an object that has at most so many bytes.
func readWhole(from objects, key string, limit int64) ([]byte, error) {
	size, err := from.size(key)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if size > limit {
		return nil, damagedf("%s has %d bytes; %d are the limit", key, size, limit)
	}
	return from.read(key, 0, size)
}

// A folder is a file bank, docs/format/file-bank.md.
type folder struct{ root *os.Root }

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the bank: %w", err)
	}
	return &folder{root}, nil
}

func (f *folder) Close() error { return f.root.Close() }

func (f *folder) open(key string) (*os.File, int64, error) {
	if !validKey(key) {
		return nil, 0, fmt.Errorf("%q is no key", key)
	}
	// Told before it is opened: to open what is no file may wait for ever.
	info, err := f.root.Stat(key + "=")
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file: %w", key, fs.ErrNotExist)
	}
	file, err := f.root.Open(key + "=")
	return file, info.Size(), err
}

func (f *folder) size(key string) (int64, error) {
	file, size, err := f.open(key)
	if err != nil {
		return 0, err
	}
	return size, file.Close()
}

func (f *folder) read(key string, offset, n int64) ([]byte, error) {
	file, _, err := f.open(key)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	defer func() { _ = file.Close() }() // it is only read
	content := make([]byte, n)
	if got, err := file.ReadAt(content, offset); int64(got) < n {
		return nil, fmt.Errorf("reading %d bytes at %d of %s: %w", n, offset, key, cmp.Or(err, fs.ErrInvalid))
	}
	return content, nil
}

func (f *folder) list(prefix string) ([]string, error) {
	var keys []string
	if err := f.walk(strings.TrimSuffix(prefix, "/"), &keys); err != nil {
		return nil, fmt.Errorf("listing %s: %w", prefix, err)
	}
	slices.Sort(keys)
	return keys, nil
}

// walk collects the keys of all objects in a folder and below.
func (f *folder) walk(dir string, keys *[]string) error {
	handle, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = handle.Close() }() // it is only read
	entries, err := handle.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		key, isObject := strings.CutSuffix(name, "=")
		switch {
		case entry.IsDir() && validKey(name):
			if err := f.walk(name, keys); err != nil {
				return err
			}
		case entry.Type().IsRegular() && isObject && validKey(key):
			*keys = append(*keys, key)
		}
	}
	return nil
}

// validKey tells whether a text is a key of a bank.
func validKey(key string) bool {
	if len(key) == 0 || len(key) > 900 {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 250 {
			return false
		}
		for _, c := range []byte(part) {
			if !alphanumeric(c) && !strings.ContainsRune("_.-@", rune(c)) {
				return false
			}
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// validID tells whether a text is an id by the rules of layout 1.
func validID(id string) bool {
	if len(id) == 0 || len(id) > 128 || !alphanumeric(id[0]) || strings.Contains(id, "..") {
		return false
	}
	for _, c := range []byte(id) {
		if !alphanumeric(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
