package main

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// memory is a bank in memory.
type memory map[string][]byte

func (m memory) size(key string) (int64, error) {
	content, found := m[key]
	if !found {
		return 0, fs.ErrNotExist
	}
	return int64(len(content)), nil
}

func (m memory) read(key string, offset, n int64) ([]byte, error) {
	content, found := m[key]
	if !found {
		return nil, fs.ErrNotExist
	}
	if offset < 0 || n < 0 || offset+n > int64(len(content)) {
		return nil, fmt.Errorf("%d bytes at %d are not there", n, offset)
	}
	return slices.Clone(content[offset : offset+n]), nil
}

// recording is a bank that notes what is read.
type recording struct {
	memory
	seen map[string]bool
}

func (r recording) read(key string, offset, n int64) ([]byte, error) {
	r.seen[key] = true
	return r.memory.read(key, offset, n)
}

func (m memory) list(prefix string) ([]string, error) {
	var found []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	return found, nil
}
