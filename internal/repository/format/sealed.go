package format

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/karbor/karbor"
)

// sealedBegin is how a sealed document begins, and no document in the clear.
const sealedBegin = `{"sealed":`

// SealedBegin is how many bytes of a document tell whether it is sealed.
const SealedBegin = len(sealedBegin)

// maxDomain bounds the name of a domain, as layout 1 does its ids.
const maxDomain = 128

// IsSealed reports whether a document, or the first SealedBegin bytes of it, says that
// it is sealed.
func IsSealed(text []byte) bool { return bytes.HasPrefix(text, []byte(sealedBegin)) }

// Sealed is what a sealed document tells in the clear: under whose key it is.
type Sealed struct {
	// Domain is the key domain, Repository the 32 digits of the repository in it.
	Domain, Repository string
	box                string
}

// ParseSealed reads the envelope of a sealed document, without opening it.
func ParseSealed(text []byte) (Sealed, error) {
	const what = "sealed document"
	var s Sealed
	rest := string(text)
	for _, part := range []struct {
		before string
		into   *string
	}{
		{sealedBegin + `"` + Version + `","domain":"`, &s.Domain},
		{`,"repository":"`, &s.Repository},
		{`,"box":"`, &s.box},
	} {
		var found bool
		if rest, found = strings.CutPrefix(rest, part.before); !found {
			return Sealed{}, damaged(what, "its envelope is none that this reads")
		}
		if *part.into, rest, found = strings.Cut(rest, `"`); !found {
			return Sealed{}, damaged(what, "its envelope is cut off")
		}
	}
	var id RepositoryID
	switch {
	case rest != "}":
		return Sealed{}, damaged(what, "its envelope has more in it, or is cut off")
	case !karbor.IsResourceID(s.Domain) || len(s.Domain) > maxDomain:
		return Sealed{}, damaged(what, "its domain is no id")
	case len(s.Repository) != 2*len(id) || s.Repository != strings.ToLower(s.Repository):
		return Sealed{}, damaged(what, "its repository is no id")
	}
	if _, err := hex.Decode(id[:], []byte(s.Repository)); err != nil {
		return Sealed{}, damaged(what, "its repository is no id")
	}
	return s, nil
}

// SealDocument seals the text of a document: the result is what lies in the bank. key
// is the document's whole key there.
func (k *Keys) SealDocument(d *Document, key string, text []byte) ([]byte, error) {
	box, err := k.SealText(key, text)
	if err != nil {
		return nil, err
	}
	return envelope(d, box), nil
}

// envelope puts a box into the envelope of a sealed document.
func envelope(d *Document, box []byte) []byte {
	out := make([]byte, 0, 128+len(d.Domain)+base64.StdEncoding.EncodedLen(len(box)))
	out = append(out, sealedBegin+`"`+Version+`","domain":"`+d.Domain+`","repository":"`+d.Repository+`","box":"`...)
	out = base64.StdEncoding.AppendEncode(out, box)
	return append(out, `"}`...)
}

// OpenDocument gives the text of a sealed document. key is the document's whole key in
// the bank.
func (k *Keys) OpenDocument(d *Document, key string, text []byte) ([]byte, error) {
	const what = "sealed document"
	s, err := ParseSealed(text)
	if err != nil {
		return nil, err
	}
	if s.Domain != d.Domain || s.Repository != d.Repository {
		return nil, damaged(what, "it is of another repository")
	}
	box, err := base64.StdEncoding.Strict().DecodeString(s.box)
	if err != nil || strings.ContainsAny(s.box, "\r\n") {
		return nil, damaged(what, "its box is no base64")
	}
	return k.OpenText(key, box)
}
