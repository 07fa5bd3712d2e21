package file

import (
	"cmp"
	"slices"
	"strings"
)

// suffix ends the name of every file that holds an object. No part of a key can
// hold it, so the object "a" (file "a=") and the object "a/b" (file "a/b=") never
// clash.
const suffix = "="

// Reserved names in the bank's folder. No part of a key can begin like them.
const (
	tempFolder  = "=tmp"
	clockFile   = "=clock"
	reserveFile = "=reserve"
)

// path gives the file of a key, relative to the bank's folder.
func path(key string) string { return key + suffix }

// andAbove gives a folder and those above it, the topmost first, without ".".
func andAbove(folder string) []string {
	if folder == "." {
		return nil
	}
	var out []string
	for i := range len(folder) {
		if folder[i] == '/' {
			out = append(out, folder[:i])
		}
	}
	return append(out, folder)
}

// split gives the folder that a path lies in, and its name there.
func split(path string) (folder, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return ".", path
}

// item is an entry of a folder as it counts in a list: the object "a" by the key
// "a", the folder "a" by "a/", with which all keys in it begin. In the byte order
// of these texts, the keys of a whole tree come in their own byte order.
type item struct {
	key  string // with the keys of the folders above
	name string // in its folder
}

func (i item) isFolder() bool { return strings.HasSuffix(i.key, "/") }

// items gives those entries of the folder with key prefix base ("" or ending in a
// slash) that can be or hold keys with the prefix after the marker, in order.
func items(base string, names []string, prefix, marker string) []item {
	out := make([]item, 0, len(names))
	for _, entry := range names {
		name, isObject := strings.CutSuffix(entry, suffix)
		switch {
		case strings.Contains(name, suffix) || name == "":
		case isObject:
			if key := base + name; key > marker && strings.HasPrefix(key, prefix) {
				out = append(out, item{key, entry})
			}
		default:
			key := base + name + "/"
			inside := strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)
			if inside && (key > marker || strings.HasPrefix(marker, key)) {
				out = append(out, item{key, entry})
			}
		}
	}
	slices.SortFunc(out, func(a, b item) int { return cmp.Compare(a.key, b.key) })
	return out
}
