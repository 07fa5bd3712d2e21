package format

import (
	"bytes"
	"testing"
)

func TestCheckedDocumentTellsEveryChange(t *testing.T) {
	const key = "v1/repositories/p/epochs/00000001"
	text := AddDigest(key, []byte(`{"format":"repository/1","epoch":1}`))
	if err := CheckDigest(key, text); err != nil || !HasDigest(text) {
		t.Fatalf("%s: %v", text, err)
	}
	for i := range text {
		for bit := range 8 {
			changed := bytes.Clone(text)
			changed[i] ^= 1 << bit
			if CheckDigest(key, changed) == nil {
				t.Errorf("bit %d of byte %d may be changed: %s", bit, i, changed)
			}
		}
		if CheckDigest(key, text[:i]) == nil {
			t.Errorf("the first %d bytes are taken for all", i)
		}
	}
	for name, other := range map[string][]byte{
		"a byte more": append(bytes.Clone(text), '\n'),
		"no digest":   []byte(`{"format":"repository/1","epoch":1}`),
		"empty":       {},
	} {
		if CheckDigest(key, other) == nil {
			t.Errorf("%s is taken for a checked document", name)
		}
	}
	if CheckDigest("v1/repositories/p/epochs/00000002", text) == nil {
		t.Error("a document is taken for that of another key")
	}
}
