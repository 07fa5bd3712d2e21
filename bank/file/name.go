package file

import (
	"cmp"
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

// byKey orders items.
func byKey(a, b item) int { return cmp.Compare(a.key, b.key) }

// appendItems appends those entries of the folder with key prefix base ("" or ending in
// a slash) whose keys are from on, and that can be or hold keys with the prefix.
func appendItems(out []item, base string, names []string, prefix, from string) []item {
	for _, entry := range names {
		name, isObject := strings.CutSuffix(entry, suffix)
		if strings.Contains(name, suffix) || name == "" {
			continue
		}
		key := base + name
		if !isObject {
			key += "/"
		}
		within := strings.HasPrefix(key, prefix) || !isObject && strings.HasPrefix(prefix, key)
		if within && key >= from {
			out = append(out, item{key, entry})
		}
	}
	return out
}
