package format

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// The values of the documents' members that there is one of.
const (
	Version  = "repository/1"
	chunkID  = "hmac-sha-256"
	cipherOf = "aes-256-gcm"
)

// Document is the format document of a domain.
type Document struct {
	Format     string `json:"format"`
	Repository string `json:"repository"`
	Domain     string `json:"domain"`
	CreatedAt  string `json:"created_at"`
	ChunkID    string `json:"chunk_id"`
	Cipher     string `json:"cipher"`
	MAC        string `json:"mac"`
}

// timeFormat is that of times in documents.
const timeFormat = "2006-01-02T15:04:05.999999Z"

// NewDocument describes a new domain, whose master key is given.
func NewDocument(domain string, id RepositoryID, master Key, now time.Time) (*Document, error) {
	k, err := DeriveKeys(master, id)
	if err != nil {
		return nil, err
	}
	d := &Document{Format: Version, Repository: id.String(), Domain: domain,
		CreatedAt: now.UTC().Format(timeFormat), ChunkID: chunkID, Cipher: cipherOf}
	d.MAC = hex.EncodeToString(d.mac(k))
	return d, nil
}

func (d *Document) mac(k *Keys) []byte {
	mac := hmac.New(sha256.New, k.format[:])
	mac.Write([]byte(strings.Join([]string{Version, d.Repository, d.Domain, d.CreatedAt, chunkID, cipherOf}, "|")))
	return mac.Sum(nil)
}

// ParseDocument reads the format document of a domain.
func ParseDocument(text []byte, domain string) (*Document, RepositoryID, error) {
	const what = "format document"
	var id RepositoryID
	var d Document
	known, err := members(text, "format", "repository", "domain", "created_at", "chunk_id", "cipher", "mac")
	if err == nil {
		err = json.Unmarshal(known, &d)
	}
	if err != nil {
		return nil, id, damaged(what, "it is no JSON object: %v", err)
	}
	switch {
	case d.Format != Version:
		return nil, id, damaged(what, "its format is %q, and this reads %s", d.Format, Version)
	case d.ChunkID != chunkID || d.Cipher != cipherOf:
		return nil, id, damaged(what, "its ids and cipher, %q and %q, are not known", d.ChunkID, d.Cipher)
	case d.Domain != domain:
		return nil, id, damaged(what, "it is another domain's")
	case len(d.Repository) != 2*len(id) || d.Repository != strings.ToLower(d.Repository):
		return nil, id, damaged(what, "its repository %q is no id", d.Repository)
	}
	if _, err := hex.Decode(id[:], []byte(d.Repository)); err != nil {
		return nil, id, damaged(what, "its repository %q is no id", d.Repository)
	}
	return &d, id, nil
}

// Unlock derives the domain's keys from its master key, and checks by them that the
// document is the one that was written.
func (d *Document) Unlock(master Key) (*Keys, error) {
	var id RepositoryID
	if _, err := hex.Decode(id[:], []byte(d.Repository)); err != nil {
		return nil, damaged("format document", "its repository is no id")
	}
	k, err := DeriveKeys(master, id)
	if err != nil {
		return nil, err
	}
	mac, err := hex.DecodeString(d.MAC)
	if err != nil || d.MAC != strings.ToLower(d.MAC) || !hmac.Equal(mac, d.mac(k)) {
		return nil, damaged("format document", "it was changed, or the key is not its domain's")
	}
	return k, nil
}

// Manifest is that of a stream, as it lies in the bank.
type Manifest struct {
	Format     string `json:"format"`
	Domain     string `json:"domain"`
	Repository string `json:"repository"`
	Size       int64  `json:"size"`
	Root       string `json:"root"`
	// New and Stored are how many bytes of the stream were new to the domain, and how many
	// were added to the bank for it. They help nobody to read, and are not authenticated.
	New    int64 `json:"new,omitempty"`
	Stored int64 `json:"stored,omitempty"`
}

// MaxManifest is how many bytes a manifest may have.
const MaxManifest = 16 << 20

// SealManifest makes the manifest of a stream. key is the manifest's whole key in the bank.
func (k *Keys) SealManifest(d *Document, key string, root *Root) (*Manifest, error) {
	box, err := seal(nil, &k.manifest, manifestContext(key), root.Encode())
	if err != nil {
		return nil, err
	}
	return &Manifest{Format: Version, Domain: d.Domain, Repository: d.Repository, Size: root.Size,
		Root: base64.StdEncoding.EncodeToString(box)}, nil
}

// OpenManifest gives the root of a stream.
func (k *Keys) OpenManifest(d *Document, key string, m *Manifest) (*Root, error) {
	const what = "manifest"
	switch {
	case m.Format != Version:
		return nil, damaged(what, "its format is %q, and this reads %s", m.Format, Version)
	case m.Domain != d.Domain || m.Repository != d.Repository:
		return nil, damaged(what, "it is of another repository")
	}
	box, err := base64.StdEncoding.Strict().DecodeString(m.Root)
	if err != nil {
		return nil, damaged(what, "its root is no base64")
	}
	plain, err := open(nil, &k.manifest, what, manifestContext(key), box)
	if err != nil {
		return nil, err
	}
	root, err := DecodeRoot(plain)
	if err == nil && root.Size != m.Size {
		return nil, damaged(what, "it says %d bytes, and its root %d", m.Size, root.Size)
	}
	return root, err
}

func manifestContext(key string) string { return "karbor/1 manifest|" + key }

// SealText puts a document's text into a box. context ties it to its place.
func (k *Keys) SealText(context string, text []byte) ([]byte, error) {
	return seal(nil, &k.document, documentContext(context), text)
}

// OpenText gives back what SealText was given.
func (k *Keys) OpenText(context string, box []byte) ([]byte, error) {
	plain, err := open(nil, &k.document, "document", documentContext(context), box)
	return plain, err
}

func documentContext(context string) string { return "karbor/1 document|" + context }
