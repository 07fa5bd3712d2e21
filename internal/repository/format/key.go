package format

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"log/slog"
)

// Key is a secret key. It prints as ***.
type Key [32]byte

// String implements fmt.Stringer.
func (Key) String() string { return "***" }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return "***" }

// LogValue implements slog.LogValuer.
func (Key) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText keeps the key out of documents.
func (Key) MarshalText() ([]byte, error) { return []byte("***"), nil }

// NewKey makes a random key.
func NewKey() Key {
	var k Key
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(k[:])
	return k
}

// RepositoryID tells repositories apart; it is public.
type RepositoryID [16]byte

// NewRepositoryID makes a random one.
func NewRepositoryID() RepositoryID {
	var id RepositoryID
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(id[:])
	return id
}

// String gives 32 lower-case hexadecimal digits.
func (id RepositoryID) String() string { return hex.EncodeToString(id[:]) }

// Keys are the keys of a domain, each for one purpose.
type Keys struct {
	chunkID, pageID, group, directory, index, manifest, document, format Key
}

// DeriveKeys makes the keys of a domain out of its master key.
func DeriveKeys(master Key, repository RepositoryID) (*Keys, error) {
	k := &Keys{}
	for purpose, into := range map[string]*Key{
		"chunk id": &k.chunkID, "page id": &k.pageID, "group": &k.group, "directory": &k.directory,
		"index": &k.index, "manifest": &k.manifest, "document": &k.document, "format": &k.format,
	} {
		derived, err := hkdf.Key(sha256.New, master[:], repository[:], "karbor/1 "+purpose, len(into))
		if err != nil {
			return nil, fmt.Errorf("deriving the %s key: %w", purpose, err)
		}
		copy(into[:], derived)
	}
	return k, nil
}

// Hasher computes ids. It is for one goroutine.
type Hasher struct{ mac hash.Hash }

// ChunkHasher gives a hasher of the ids of chunks.
func (k *Keys) ChunkHasher() *Hasher { return &Hasher{hmac.New(sha256.New, k.chunkID[:])} }

// PageHasher gives a hasher of the ids of pages.
func (k *Keys) PageHasher() *Hasher { return &Hasher{hmac.New(sha256.New, k.pageID[:])} }

// ID gives the id of the bytes.
func (h *Hasher) ID(data []byte) ID {
	var id ID
	h.mac.Reset()
	h.mac.Write(data)
	h.mac.Sum(id[:0])
	return id
}
