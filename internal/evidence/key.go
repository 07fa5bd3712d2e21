package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/karbor/karbor"
)

// The kinds of blocks in a file of keys: PKCS #8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280).
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// Signer signs records. It is safe for concurrent use.
type Signer struct {
	private ed25519.PrivateKey
	keys    []PublicKey
}

// PublicKey is a key that records are checked with.
type PublicKey struct {
	// ID is the first 16 bytes of the key's SHA-256 digest, in lower-case hexadecimal.
	ID  string
	Key ed25519.PublicKey
}

// NewPublicKey gives a public key its id.
func NewPublicKey(key ed25519.PublicKey) PublicKey {
	sum := sha256.Sum256(key)
	return PublicKey{ID: hex.EncodeToString(sum[:16]), Key: key}
}

// PEM gives the key as a PEM block.
func (k PublicKey) PEM() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Key)
	if err != nil {
		return "", fmt.Errorf("encoding the public key %s: %w", k.ID, err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der})), nil
}

// NewKeyFile gives the content of a file with a new key, for NewSigner.
func NewKeyFile() (karbor.Secret, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", fmt.Errorf("encoding a key: %w", err)
	}
	return karbor.Secret(pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der})), nil
}

// NewSigner reads a file of keys (PEM): one private key, which signs, and any number of public
// ones, which it no longer signs with, but that records may still be checked with.
func NewSigner(file karbor.Secret) (*Signer, error) {
	s := &Signer{}
	rest := []byte(file)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case privateBlock:
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			private, ok := key.(ed25519.PrivateKey)
			if err != nil || !ok {
				return nil, karbor.Errorf(karbor.Invalid, "the private key is not an Ed25519 key (PKCS #8)")
			}
			if s.private != nil {
				return nil, karbor.Errorf(karbor.Invalid, "there are two private keys; one signs, keep the public keys of the others")
			}
			s.private = private
			public, _ := private.Public().(ed25519.PublicKey)
			s.keys = append([]PublicKey{NewPublicKey(public)}, s.keys...)
		case publicBlock:
			key, err := publicKey(block)
			if err != nil {
				return nil, err
			}
			s.keys = append(s.keys, key)
		default:
			return nil, karbor.Errorf(karbor.Invalid, "there is a block %q; PRIVATE KEY and PUBLIC KEY are known", block.Type)
		}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, karbor.Errorf(karbor.Invalid, "something is no PEM block")
	}
	if s.private == nil {
		return nil, karbor.Errorf(karbor.Invalid, "there is no private key")
	}
	return s, nil
}

// Keys gives the public keys, the one that signs now first.
func (s *Signer) Keys() []PublicKey { return s.keys }

// ParsePublicKeys reads public keys (PEM), as PublicKey.PEM writes them.
func ParsePublicKeys(file []byte) ([]PublicKey, error) {
	var keys []PublicKey
	for {
		var block *pem.Block
		if block, file = pem.Decode(file); block == nil {
			break
		}
		key, err := publicKey(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, karbor.Errorf(karbor.Invalid, "there is no public key (PEM)")
	}
	return keys, nil
}

func publicKey(block *pem.Block) (PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := key.(ed25519.PublicKey)
	if block.Type != publicBlock || err != nil || !ok {
		return PublicKey{}, karbor.Errorf(karbor.Invalid, "the public key is not an Ed25519 key (SubjectPublicKeyInfo)")
	}
	return NewPublicKey(public), nil
}
