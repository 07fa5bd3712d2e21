package bank_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

func section(t *testing.T, b bank.Bank, prefix string) *bank.Section {
	t.Helper()
	s, err := bank.NewSection(b, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSectionSeesOnlyItsOwn(t *testing.T) {
	m := banktest.NewMemory()
	a, ab := section(t, m, "a"), section(t, m, "ab")
	for _, s := range []*bank.Section{a, ab} {
		for _, key := range []string{"x", "y/z"} {
			if err := s.Create(t.Context(), key, strings.NewReader("1"), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	infos, err := a.List(t.Context(), "", "x", 10)
	if err != nil || len(infos) != 1 || infos[0].Key != "y/z" {
		t.Errorf("%v, %v", infos, err)
	}
	for _, key := range []string{"../ab/x", "", "/x"} {
		if _, err := a.Get(t.Context(), key, 0, -1); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("get %q: %v, want Invalid", key, err)
		}
		if _, err := a.Sub(key); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("sub %q: %v, want Invalid", key, err)
		}
	}
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"ab/x": "1", "ab/y/z": "1"}, m.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentMayBeWrittenAgainWithTheSameContent(t *testing.T) {
	s := section(t, banktest.NewMemory(), "a")
	for range 2 {
		if err := s.CreateJSON(t.Context(), "doc", map[string]int{"x": 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []any{map[string]int{"x": 2}, map[string]int{"x": 1, "y": 2}, 1} {
		if err := s.CreateJSON(t.Context(), "doc", v); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("%v: %v, want a conflict", v, err)
		}
	}
	var got map[string]int
	if err := s.GetJSON(t.Context(), "doc", &got); err != nil || got["x"] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if err := s.GetJSON(t.Context(), "none", &got); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("%v, want NotFound", err)
	}
}

func TestDocumentIsOneJSONValue(t *testing.T) {
	s := section(t, banktest.NewMemory(), "a")
	for key, text := range map[string]string{"empty": "", "part": `{"x":1`, "two": "{}{}", "type": `"x"`} {
		if err := s.Create(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
		var v map[string]int
		var bad *bank.DecodeError
		if err := s.GetJSON(t.Context(), key, &v); !errors.As(err, &bad) || bad.Key != "a/"+key {
			t.Errorf("%s: %v, want a DecodeError", key, err)
		}
	}
}

func TestExactlyGivesThatManyBytesOrFails(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringN(0, 50, -1).Draw(r, "text")
		size := int64(rapid.IntRange(-1, 60).Draw(r, "size"))
		got, err := io.ReadAll(bank.Exactly(t.Context(), strings.NewReader(text), size))
		if ok := size == int64(len(text)); (err == nil) != ok || ok && string(got) != text {
			r.Fatalf("%q as %d bytes: %q, %v", text, size, got, err)
		}
		if err != nil && (karbor.KindOf(err) != karbor.Invalid || size >= 0 && int64(len(got)) >= max(size, 1)) {
			r.Fatalf("%d of %d bytes were given, %v", len(got), size, err)
		}
	})
}

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"a", "a/b", "..", "a/../b", "", "/", "a//b", "x@y.z-_"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if bank.CheckKey(key) != nil {
			return
		}
		for part := range strings.SplitSeq(key, "/") {
			if part == "" || part == "." || part == ".." || len(part) > bank.MaxPart || strings.ContainsAny(part, " =\\:\x00") {
				t.Fatalf("%q is accepted", key)
			}
		}
	})
}
