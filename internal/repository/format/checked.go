package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// How a checked document ends: its digest is the last member.
const (
	digestBegin = `,"sha256":"`
	digestEnd   = `"}`
	digestTail  = len(digestBegin) + 2*sha256.Size + len(digestEnd)
)

// AddDigest gives the checked document of text, a JSON object with at least one member and
// nothing around it. key is the document's whole key in the bank: under another one the
// digest is another, too.
func AddDigest(key string, text []byte) []byte {
	body := text[:max(0, len(text)-1)]
	sum := documentDigest(key, body)
	out := make([]byte, 0, len(body)+digestTail)
	out = append(append(out, body...), digestBegin...)
	out = hex.AppendEncode(out, sum[:])
	return append(out, digestEnd...)
}

// CheckDigest looks whether a checked document is the one that was written under key. One that was
// cut off or changed, lies under another key or has no digest is a *DamageError. It keeps out
// mishaps, not enemies: there is no key in it.
func CheckDigest(key string, text []byte) error {
	if !HasDigest(text) {
		return damaged("document", "%s does not end with its digest", key)
	}
	at := len(text) - digestTail
	want := documentDigest(key, text[:at])
	if hex.EncodeToString(want[:]) != string(text[at+len(digestBegin):len(text)-len(digestEnd)]) {
		return damaged("document", "%s has another digest than it says", key)
	}
	return nil
}

// HasDigest reports whether a document ends with a digest, of whatever.
func HasDigest(text []byte) bool {
	at := len(text) - digestTail
	return at > 0 && bytes.HasPrefix(text[at:], []byte(digestBegin)) && bytes.HasSuffix(text, []byte(digestEnd))
}

// documentDigest is that of a checked document's bytes before its last member.
func documentDigest(key string, body []byte) [sha256.Size]byte {
	h := sha256.New()
	// A hash takes all.
	_, _ = h.Write([]byte("karbor/1 checked|" + key + "|"))
	_, _ = h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}
