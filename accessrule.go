package karbor

import "strings"

// AccessRule is an access rule of an application credential: what a token of it may
// be used for (Identity API v3, "Access Rules"). In Path, * and {name} stand for a
// part of the path, ** for anything; all else stands for itself.
type AccessRule struct {
	Service string `json:"service"`
	Method  string `json:"method"`
	Path    string `json:"path"`
}

// Allows reports whether the rule lets a request of that method and path be made of
// the service of that type.
func (r AccessRule) Allows(service, method, path string) bool {
	return r.Service == service && r.Method == method && pathMatches(r.Path, path)
}

// pathMatches compares a path with a pattern. It takes time in the length of the
// one times the length of the other at most: a user writes the pattern.
func pathMatches(pattern, path string) bool {
	// open[i] says that the pattern read so far matches the first i bytes of path.
	open := make([]bool, len(path)+1)
	open[0] = true
	for pattern != "" {
		next := make([]bool, len(path)+1)
		kind, rest := nextWord(pattern)
		for i := range path {
			switch kind {
			case anything:
				next[i] = next[i] || open[i]
				next[i+1] = next[i+1] || next[i]
			case onePart:
				next[i+1] = path[i] != '/' && (open[i] || next[i])
			case literal:
				next[i+1] = open[i] && path[i] == pattern[0]
			}
		}
		if kind == anything {
			next[len(path)] = next[len(path)] || open[len(path)]
		}
		open, pattern = next, rest
	}
	return open[len(path)]
}

// wordKind is what stands at the start of a pattern.
type wordKind int

const (
	literal wordKind = iota
	onePart
	anything
)

// nextWord tells what a pattern begins with, and gives what is behind it.
func nextWord(pattern string) (kind wordKind, rest string) {
	if rest, ok := strings.CutPrefix(pattern, "**"); ok {
		return anything, rest
	}
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return onePart, rest
	}
	if pattern[0] == '{' {
		if _, rest, ok := strings.Cut(pattern, "}"); ok {
			return onePart, rest
		}
	}
	return literal, pattern[1:]
}
