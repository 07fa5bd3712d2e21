package bank

import (
	"strings"

	"github.com/karbor/karbor"
)

// MaxKey is the longest key in bytes. Banks that put a prefix of their own
// before it stay below the 1024 bytes of Swift and S3.
const MaxKey = 900

// MaxPart is the longest part of a key between slashes, in bytes. It leaves
// room for what a bank adds to the name of a file.
const MaxPart = 250

// CheckKey reports why key can't be a key: one that is empty or longer than
// MaxKey, has a byte outside A-Z a-z 0-9 / _ . - @, an empty part, one longer
// than MaxPart, or one that is "." or "..". A leading or closing slash makes an
// empty part.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return karbor.Errorf(karbor.Invalid, "%q is not a key of a bank: it has 1 to %d bytes", key, MaxKey)
	}
	for i := range len(key) {
		if c := key[i]; !isKeyByte(c) {
			return karbor.Errorf(karbor.Invalid, "%q is not a key of a bank: bad byte %q", key, c)
		}
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || len(part) > MaxPart {
			return karbor.Errorf(karbor.Invalid, "%q is not a key of a bank: bad part %q", key, part)
		}
	}
	return nil
}
