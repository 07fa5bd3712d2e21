package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
)

// Algorithm is the word for the signature's algorithm.
const Algorithm = "Ed25519"

// purpose goes before what is signed: a signature for something else is none for a record.
const purpose = Format + "\n"

// Signed is a record with its signature.
type Signed struct {
	Record    Record    `json:"record"`
	Signature Signature `json:"signature"`
}

// Signature is that of a record.
type Signature struct {
	Algorithm string `json:"algorithm"`
	// KeyID is the PublicKey's ID.
	KeyID string `json:"key_id"`
	// Value is the signature of the format's name, a line feed, and the canonical form of
	// the record, in base64 (RFC 4648, section 4).
	Value string `json:"value"`
}

// Sign gives the file of a record: the canonical form of it with its signature, and a line feed.
func (s *Signer) Sign(r Record) ([]byte, error) {
	r.Format = Format
	text, err := canonicalOf(r)
	if err != nil {
		return nil, err
	}
	value := ed25519.Sign(s.private, append([]byte(purpose), text...))
	file, err := canonicalOf(Signed{r, Signature{Algorithm: Algorithm, KeyID: s.keys[0].ID, Value: base64.StdEncoding.EncodeToString(value)}})
	return append(file, '\n'), err
}

// File gives the bytes of a signed record's file from JSON that has it in whatever order, as a
// database may keep it. It does not look whether the signature is right.
func File(document []byte) ([]byte, error) {
	text, err := Canonical(document)
	return append(text, '\n'), err
}

// CanonicalOf gives the canonical form of a record.
func CanonicalOf(r Record) ([]byte, error) { return canonicalOf(r) }

func canonicalOf(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a record of evidence: %w", err)
	}
	return Canonical(text)
}

// Verify gives the record in a file if one of the keys has signed it and not a byte of the file
// was changed since. Any other file is karbor.Invalid, and one that was signed with another key
// karbor.NotFound.
func Verify(file []byte, keys ...PublicKey) (Signed, error) {
	s, err := Parse(file)
	if err != nil {
		return Signed{}, err
	}
	i := slices.IndexFunc(keys, func(k PublicKey) bool { return k.ID == s.Signature.KeyID })
	if i < 0 {
		return Signed{}, karbor.Errorf(karbor.NotFound, "the record was signed with the key %s, which is not among those given", s.Signature.KeyID)
	}
	text, err := canonicalOf(s.Record)
	if err != nil {
		return Signed{}, err
	}
	value, err := base64.StdEncoding.Strict().DecodeString(s.Signature.Value)
	if err != nil || !ed25519.Verify(keys[i].Key, append([]byte(purpose), text...), value) {
		return Signed{}, karbor.Errorf(karbor.Invalid, "the record is not what was signed: the signature does not fit")
	}
	return s, nil
}

// Parse reads a file without a look at its signature. It must be byte for byte as Sign writes
// it: else it is karbor.Invalid.
func Parse(file []byte) (Signed, error) {
	var s Signed
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Signed{}, karbor.Errorf(karbor.Invalid, "it is not a record of evidence")
	}
	if s.Record.Format != Format || s.Signature.Algorithm != Algorithm {
		return Signed{}, karbor.Errorf(karbor.Invalid, "it is not a record of evidence of the format %s", Format)
	}
	// What was put in between the members, or written otherwise, is a change, too.
	again, err := canonicalOf(s)
	if err != nil || !bytes.Equal(append(again, '\n'), file) {
		return Signed{}, karbor.Errorf(karbor.Invalid, "the record is not as it was written: it was changed")
	}
	return s, nil
}
