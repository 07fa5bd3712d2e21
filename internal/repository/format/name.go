package format

import (
	"crypto/sha256"
	"encoding/hex"
)

// Name is the name of a pack or an index segment: the SHA-256 of its bytes.
type Name [sha256.Size]byte

// NameOf gives the name of an object.
func NameOf(object []byte) Name { return sha256.Sum256(object) }

// String gives the name in lower-case hexadecimal digits, as it is in a key.
func (n Name) String() string { return hex.EncodeToString(n[:]) }

// ParseName reads what String gives, and nothing else.
func ParseName(s string) (Name, bool) {
	var n Name
	if len(s) != 2*len(n) {
		return n, false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return n, false
		}
	}
	_, err := hex.Decode(n[:], []byte(s))
	return n, err == nil
}

// ID is the id of a chunk or a page: a keyed hash of its bytes. The zero ID stands for
// the page of a span that is one hole.
type ID [sha256.Size]byte

// String gives the id in lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
