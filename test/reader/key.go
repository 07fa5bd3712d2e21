package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
)

// errDamaged is the kind of what is not as the format says, in distinction from what cannot be read.
var errDamaged = errors.New("damaged")

func damagedf(format string, arguments ...any) error {
	return fmt.Errorf("%w: %w", errDamaged, fmt.Errorf(format, arguments...))
}

// An id is the name of a pack, a segment, a chunk or a page.
type id [32]byte

// keys are those derived from a master key.
type keys struct {
	chunkID, pageID, group, directory, index, manifest, document, format []byte
}

// deriveKeys makes the keys of a domain.
func deriveKeys(master []byte, repository [16]byte) (keys, error) {
	var all keys
	for info, key := range map[string]*[]byte{
		"chunk id": &all.chunkID, "page id": &all.pageID, "group": &all.group, "directory": &all.directory,
		"index": &all.index, "manifest": &all.manifest, "document": &all.document, "format": &all.format,
	} {
		derived, err := hkdf.Key(sha256.New, master, repository[:], "karbor/1 "+info, 32)
		if err != nil {
			return keys{}, fmt.Errorf("deriving a key: %w", err)
		}
		*key = derived
	}
	return all, nil
}

// keyed is HMAC-SHA-256.
func keyed(key, message []byte) id {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return id(mac.Sum(nil))
}

// boxSalt and boxOverhead are lengths of a box.
const (
	boxSalt     = 24
	boxOverhead = boxSalt + 16
)

// openBox gives what is in a box.
func openBox(key []byte, context string, box []byte) ([]byte, error) {
	if len(box) < boxOverhead {
		return nil, damagedf("%d bytes are no box", len(box))
	}
	own := keyed(key, box[:boxSalt])
	block, err := aes.NewCipher(own[:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, make([]byte, 12), box[boxSalt:], []byte(context))
	if err != nil {
		return nil, damagedf("opening a box of %q: %w", context, err)
	}
	return plain, nil
}
