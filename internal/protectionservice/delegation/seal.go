package delegation

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/karbor/karbor"
)

// sealer encrypts what must not lie open in the database: AES-256-GCM, a random
// nonce before the text, bound to what it belongs to.
type sealer struct{ aead cipher.AEAD }

// keySize is the size of the service key in bytes.
const keySize = 32

func newSealer(key []byte) (sealer, error) {
	if len(key) != keySize {
		return sealer{}, karbor.Errorf(karbor.Invalid, "the service key has %d bytes instead of %d", len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("preparing the service key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealer{}, fmt.Errorf("preparing the service key: %w", err)
	}
	return sealer{aead}, nil
}

// seal encrypts text for one operation.
func (s sealer) seal(operation string, text []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, text, []byte(operation))
}

// open decrypts what seal made for the same operation.
func (s sealer) open(operation string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, karbor.Errorf(karbor.Internal, "a sealed record is too short")
	}
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(operation))
	if err != nil {
		return nil, fmt.Errorf("opening a sealed record (was the service key changed?): %w", err)
	}
	return text, nil
}
