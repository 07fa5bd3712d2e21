package file

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"
)

// suffix ends the name of every file that holds an object. No part of a key can
// hold it, so the object "a" (file "a=") and the object "a/b" (file "a/b=") never
// clash.
const suffix = "="

// Reserved names in the bank's folder. No part of a key can begin like them.
const (
	tempFolder = "=tmp"
	clockFile  = "=clock"
)

// path gives the file of a key, relative to the bank's folder.
func path(key string) string { return key + suffix }

// parents gives the folders above a path, the topmost first, without ".".
func parents(path string) []string {
	var out []string
	for i := range len(path) {
		if path[i] == '/' {
			out = append(out, path[:i])
		}
	}
	return out
}

// folderOf gives the folder that a path lies in.
func folderOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

// item is an entry of a folder as it counts in a list: the object "a" by the key
// "a", the folder "a" by "a/", with which all keys in it begin. In the byte order
// of these texts, the keys of a whole tree come in their own byte order.
type item struct {
	key   string // with the keys of the folders above
	entry fs.DirEntry
}

func (i item) isFolder() bool { return strings.HasSuffix(i.key, "/") }

// items gives those entries of the folder with key prefix base ("" or ending in a
// slash) that can hold keys with the prefix after the marker, in order.
func items(base string, entries []fs.DirEntry, prefix, marker string) []item {
	out := make([]item, 0, len(entries))
	for _, e := range entries {
		name, isObject := strings.CutSuffix(e.Name(), suffix)
		switch {
		case strings.Contains(name, suffix) || name == "":
		case isObject && e.Type().IsRegular():
			if key := base + name; key > marker && strings.HasPrefix(key, prefix) {
				out = append(out, item{key, e})
			}
		case !isObject && e.IsDir():
			key := base + name + "/"
			inside := strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)
			if inside && (key > marker || strings.HasPrefix(marker, key)) {
				out = append(out, item{key, e})
			}
		}
	}
	slices.SortFunc(out, func(a, b item) int { return cmp.Compare(a.key, b.key) })
	return out
}
