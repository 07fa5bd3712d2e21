package file_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/file"
)

// fill makes n objects in one folder of a bank's folder, last changed a while ago.
func fill(t testing.TB, dir string, n int) (keys []string) {
	t.Helper()
	folder := filepath.Join(dir, "packs")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	one := ""
	for i := range n {
		name := fmt.Sprintf("%08x", uint32(i)*2654435761) // in no order
		path := filepath.Join(folder, name+"=")
		var err error
		if i%30_000 == 0 { // a file has no more than 65,000 names on ext4
			one, err = path, os.WriteFile(path, nil, 0o600)
		} else {
			err = os.Link(one, path)
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, "packs/"+name)
	}
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(folder, past, past); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

// pages lists all objects page by page; between is called after each page.
func pages(t testing.TB, b bank.Bank, prefix string, limit int, between func(page int)) (keys []string) {
	t.Helper()
	for page, marker := 0, ""; ; page++ {
		infos, err := b.List(t.Context(), prefix, marker, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range infos {
			keys = append(keys, i.Key)
			marker = i.Key
		}
		if len(infos) < limit {
			return keys
		}
		between(page)
	}
}

func open(t testing.TB) (*file.Bank, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := file.Open(t.Context(), file.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, dir
}

func TestPagesOfAFolderWithMoreThanAWindowGiveEachKeyOnce(t *testing.T) {
	b, dir := open(t)
	keys := fill(t, dir, 2*file.WindowSize+4000)
	// Another folder among the objects, and one around them, are not missed.
	for _, key := range []string{"packs/80000000/inner", "packs/80000000a", "a", "z"} {
		if err := b.Create(t.Context(), key, bytes.NewReader(nil), 0); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, pages(t, b, "", 999, func(int) {})); diff != "" {
		t.Error(diff)
	}
	want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k[:min(len(k), 7)] != "packs/8" })
	if diff := cmp.Diff(want, pages(t, b, "packs/8", 500, func(int) {})); diff != "" {
		t.Error(diff)
	}
}

func TestAPageShowsWhatWasChangedAfterTheLastOne(t *testing.T) {
	b, dir := open(t)
	keys := fill(t, dir, 6000)
	got := pages(t, b, "packs/", 1000, func(page int) {
		if page > 3 {
			return
		}
		// Both are on later pages, which a window that is kept holds already.
		gone, come := keys[5000+page], fmt.Sprintf("packs/e%d@new", page)
		if err := b.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		if err := b.Create(t.Context(), come, bytes.NewReader(nil), 0); err != nil {
			t.Fatal(err)
		}
		keys = append(slices.DeleteFunc(keys, func(k string) bool { return k == gone }), come)
		slices.Sort(keys)
	})
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkList100kObjects(b *testing.B) {
	bank, dir := open(b)
	fill(b, dir, 100_000)
	for b.Loop() {
		if n := len(pages(b, bank, "packs/", 1000, func(int) {})); n != 100_000 {
			b.Fatal(n)
		}
	}
}
