package bank

import "strings"

// ObjectNames gives the objects of an object store their names: Prefix, the key, and
// an exclamation mark, which is smaller than every byte of a key. So the names are in
// the order of the keys, no name is a folder of another one, and a store that keeps
// its objects in files can hold both a and a/b.
//
// docs/format/s3-bank.md specifies them.
type ObjectNames struct {
	// Prefix is "" or ends in a slash.
	Prefix string
	// Layout09 gives names as Python Karbor does: a slash and the key.
	Layout09 bool
}

const nameEnd = "!"

// Name gives the name of a key's object.
func (n ObjectNames) Name(key string) string {
	if n.Layout09 {
		return n.Prefix + "/" + key
	}
	return n.Prefix + key + nameEnd
}

// Key gives the key of an object; ok is false for one that is none of the bank's.
func (n ObjectNames) Key(name string) (key string, ok bool) {
	key, ok = strings.CutPrefix(name, n.Begin(""))
	if ok && !n.Layout09 {
		key, ok = strings.CutSuffix(key, nameEnd)
	}
	return key, ok && CheckKey(key) == nil
}

// Begin gives what the names of all keys with a prefix begin with.
func (n ObjectNames) Begin(prefix string) string {
	if n.Layout09 {
		return n.Prefix + "/" + prefix
	}
	return n.Prefix + prefix
}

// After gives a text that is smaller than the names of all keys after marker, and not
// smaller than any other key's. It has only printable ASCII, whatever marker has.
func (n ObjectNames) After(marker string) string {
	bad := strings.IndexFunc(marker, func(r rune) bool { return r > '~' || !isKeyByte(byte(r)) })
	if bad >= 0 {
		switch c := marker[bad]; {
		case c > '~': // all bytes of keys are smaller
			return n.Begin(marker[:bad]) + "~"
		case c > nameEnd[0]:
			return n.Begin(marker[:bad+1])
		}
		marker = marker[:bad] // all bytes of keys are greater
	}
	if marker == "" {
		return ""
	}
	if n.Layout09 {
		return n.Begin(marker)
	}
	return n.Begin(marker) + nameEnd
}

// CanBegin reports whether any key can begin with prefix.
func CanBegin(prefix string) bool {
	if prefix == "" {
		return true
	}
	// One more letter makes a key of what can be the beginning of one.
	last := prefix[strings.LastIndexByte(prefix, '/')+1:]
	if len(last) < MaxPart && len(prefix) < MaxKey {
		return CheckKey(prefix+"x") == nil
	}
	return CheckKey(prefix) == nil
}

func isKeyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '-' <= c && c <= '9' || c == '_' || c == '@'
}
