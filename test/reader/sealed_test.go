package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The bank that the product's tests of checkpoints keep, with sealed documents.
const (
	sealedFolder  = "../../internal/checkpoint/testdata/layout1-sealed"
	sealedDomain  = "0b5e2c1ac7b94b6c9b3d5c1f0a7e4d21"
	sealedPrefix  = "v1/checkpoints/" + sealedDomain + "/8b0f1d6e-52a4-4c8e-9c3b-6a1e7d2f4b90/"
	clearFolder   = "../../internal/checkpoint/testdata/layout1"
	sealedNode    = "nodes/volume/1de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42/documents/metadata"
	listedFolder  = "../../internal/checkpoint/testdata/layout1-contents" // the same with lists of contents; and "-sealed"
	sealedKeyFile = sealedFolder + ".key"
)

func TestVectorOfASealedDocument(t *testing.T) {
	v, k, format := readVectors(t)
	r := repository{from: memory{v.Sealed.Key: []byte(v.Sealed.Object)}, format: format, keys: k}
	text, err := r.documentText(v.Sealed.Key)
	if err != nil || string(text) != v.Sealed.Text {
		t.Errorf("the text is %q, %v", text, err)
	}
}

func TestSealedDocumentsOfTheProductAreRead(t *testing.T) {
	var out bytes.Buffer
	for _, name := range []string{"description", sealedNode} {
		out.Reset()
		if err := run([]string{"--bank", sealedFolder, "--domain", sealedDomain, "--key-file", sealedKeyFile,
			"--document", sealedPrefix + name}, &out); err != nil {
			t.Fatal(err)
		}
		// The bank without keys holds the same documents.
		want, err := os.ReadFile(filepath.Join(clearFolder, sealedPrefix+name) + "=")
		if err != nil || out.String() != string(want) || !json.Valid(want) {
			t.Errorf("%s is %s, want %s (%v)", name, out.String(), want, err)
		}
	}
}

func TestChangedSealedDocumentIsRefused(t *testing.T) {
	v, k, format := readVectors(t)
	good := v.Sealed.Object
	objects := memory{}
	r := repository{from: objects, format: format, keys: k}
	refused := func(what, object string) {
		objects[v.Sealed.Key] = []byte(object)
		// What does not begin as a sealed document is one in the clear, and is no document.
		text, err := r.documentText(v.Sealed.Key)
		if strings.HasPrefix(object, sealedBegin) && !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", what, err)
		}
		if string(text) == v.Sealed.Text {
			t.Errorf("%s opens", what)
		}
	}
	for i := range len(good) * 8 {
		changed := []byte(good)
		changed[i/8] ^= 1 << (i % 8)
		refused("a flipped bit", string(changed))
	}
	for n := range len(good) {
		refused("the first bytes", good[:n])
	}
	refused("a space behind", good+" ")
	refused("a space within", strings.Replace(good, `,"box`, `, "box`, 1))
	refused("a member more", strings.Replace(good, `,"box`, `,"more":1,"box`, 1))
	refused("a line break in the box", strings.Replace(good, `"box":"`, `"box":"\n`, 1))
	objects[v.Sealed.Key+"2"] = []byte(good)
	if _, err := r.documentText(v.Sealed.Key + "2"); !errors.Is(err, errDamaged) {
		t.Errorf("under another key: %v", err)
	}
	if _, err := r.documentText("v1/states/x"); err == nil {
		t.Error("a state is no document")
	}
}
