package format

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
)

const (
	saltSize = 24
	tagSize  = 16
	// BoxOverhead is how much longer a box is than what is in it.
	BoxOverhead = saltSize + tagSize
)

// seal appends a box of plain under the key to dst. plain must not overlap the room
// behind dst.
func seal(dst []byte, key *Key, context string, plain []byte) ([]byte, error) {
	var salt [saltSize]byte
	// Never fails: see the documentation of crypto/rand.Read.
	_, _ = rand.Read(salt[:])
	return sealSalted(dst, key, context, plain, salt)
}

func sealSalted(dst []byte, key *Key, context string, plain []byte, salt [saltSize]byte) ([]byte, error) {
	aead, err := boxCipher(key, salt[:])
	if err != nil {
		return nil, err
	}
	dst = slices.Grow(dst, BoxOverhead+len(plain))
	dst = append(dst, salt[:]...)
	var nonce [12]byte // each box has its own key
	return aead.Seal(dst, nonce[:], plain, []byte(context)), nil
}

// open appends what is in a box to dst.
func open(dst []byte, key *Key, what, context string, box []byte) ([]byte, error) {
	if len(box) < BoxOverhead {
		return nil, damaged(what, "it has %d bytes, fewer than any box", len(box))
	}
	aead, err := boxCipher(key, box[:saltSize])
	if err != nil {
		return nil, err
	}
	var nonce [12]byte
	plain, err := aead.Open(dst, nonce[:], box[saltSize:], []byte(context))
	if err != nil {
		return nil, damaged(what, "it was changed, or is another's")
	}
	return plain, nil
}

func boxCipher(key *Key, salt []byte) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(salt)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("making the cipher of a box: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making the cipher of a box: %w", err)
	}
	return aead, nil
}
