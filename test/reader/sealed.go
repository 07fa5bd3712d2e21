package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

const sealedBegin = `{"sealed":`

// maxSealed bounds what is read into memory.
const maxSealed = 64 << 20

// documentText gives the text of a document of a checkpoint, opened if it is sealed.
func (r *repository) documentText(key string) ([]byte, error) {
	if !strings.HasPrefix(key, "v1/checkpoints/") || !validKey(key) {
		return nil, fmt.Errorf("%q is no key of a document", key)
	}
	object, err := readWhole(r.from, key, maxSealed)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(object, []byte(sealedBegin)) {
		return object, nil
	}
	box, err := sealedBox(object, r.format)
	if err != nil {
		return nil, fmt.Errorf("the document %s: %w", key, err)
	}
	return openBox(r.keys.document, "karbor/1 document|"+key, box)
}

// sealedBox takes a sealed document apart. What is not exactly as it is written is refused.
func sealedBox(object []byte, format formatDocument) ([]byte, error) {
	members := struct {
		Sealed     string `json:"sealed"`
		Domain     string `json:"domain"`
		Repository string `json:"repository"`
		Box        string `json:"box"`
	}{}
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, damagedf("reading its envelope: %w", err)
	}
	box, err := base64.StdEncoding.Strict().DecodeString(members.Box)
	if err != nil {
		return nil, damagedf("its box is no base64: %w", err)
	}
	exactly := fmt.Appendf(nil, `{"sealed":"%s","domain":"%s","repository":"%s","box":"%s"}`,
		version, format.domain, format.repositoryText, base64.StdEncoding.EncodeToString(box))
	if !bytes.Equal(exactly, object) {
		return nil, damagedf("its envelope is that of the repository %q in the domain %q, or of another form", members.Repository, members.Domain)
	}
	return box, nil
}
