package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestVectorOfASealedDocument(t *testing.T) {
	v, k, document := readVectors(t)
	text, err := k.OpenDocument(document, v.Sealed.Key, []byte(v.Sealed.Object))
	if err != nil || string(text) != v.Sealed.Text {
		t.Errorf("the text is %q, %v", text, err)
	}
	again, err := k.SealDocument(document, v.Sealed.Key, text)
	if err != nil || len(again) != len(v.Sealed.Object) || bytes.Equal(again, []byte(v.Sealed.Object)) {
		t.Errorf("it would be sealed as %s, %v", again, err)
	}
	if !IsSealed(again) || !IsSealed(again[:SealedBegin]) || IsSealed(again[:SealedBegin-1]) || IsSealed([]byte(v.Sealed.Text)) {
		t.Error("what is sealed is not told from what is not")
	}
	if !json.Valid(again) {
		t.Errorf("it is no JSON: %s", again)
	}
}

func TestSealedDocumentIsRefusedUnlessItIsExactlyThat(t *testing.T) {
	v, k, document := readVectors(t)
	good := v.Sealed.Object
	replaced := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in it", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, text := range map[string]string{
		"nothing":               "",
		"text in the clear":     v.Sealed.Text,
		"another version":       replaced("repository/1", "repository/2"),
		"white space":           replaced(`,"box"`, `, "box"`),
		"another order":         `{"sealed":"repository/1","repository":"` + document.Repository + `","domain":"` + document.Domain + `","box":""}`,
		"one member more":       replaced(`"}`, `","more":1}`),
		"a line break behind":   good + "\n",
		"another domain":        replaced(document.Domain, "d0ffee00c0ffee00c0ffee00c0ffee00"),
		"no domain":             replaced(document.Domain, ""),
		"a domain with a slash": replaced(document.Domain, "a/b"),
		"another repository":    replaced(document.Repository, strings.Repeat("0a", 16)),
		"upper case":            replaced(document.Repository, strings.ToUpper(document.Repository)),
		"a short repository":    replaced(document.Repository, document.Repository[2:]),
		"no digits":             replaced(document.Repository, strings.Repeat("xy", 16)),
		"no base64":             replaced(`"box":"`, `"box":"*`),
		"a short box":           replaced(good[strings.Index(good, `"box":"`)+7:], `AAAA"}`),
	} {
		_, err := k.OpenDocument(document, v.Sealed.Key, []byte(text))
		if damage := (*DamageError)(nil); !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.OpenDocument(document, v.Sealed.Key+"x", []byte(good)); err == nil {
		t.Error("it opens under another key")
	}
}

func FuzzParseSealed(f *testing.F) {
	f.Add([]byte(`{"sealed":"repository/1","domain":"a","repository":"00112233445566778899aabbccddeeff","box":"AAAA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSealed(text)
		if err != nil {
			return
		}
		if again := `{"sealed":"repository/1","domain":"` + s.Domain + `","repository":"` + s.Repository + `","box":"` + s.box + `"}`; again != string(text) {
			t.Errorf("%s is read as %s", text, again)
		}
	})
}
