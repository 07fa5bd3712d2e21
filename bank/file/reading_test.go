package file_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/file"
)

func TestABankThatIsOnlyReadStaysAsItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bank")
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "b="), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	b, err := file.OpenReading(file.Options{Path: dir}, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	body, err := b.Get(t.Context(), "a/b", 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(body); err != nil || string(text) != "ex" || body.Close() != nil {
		t.Errorf("%q, %v", text, err)
	}
	if infos, err := b.List(t.Context(), "", "", 10); err != nil || len(infos) != 1 || infos[0].Key != "a/b" {
		t.Errorf("%v, %v", infos, err)
	}
	if now, err := b.Now(t.Context()); err != nil || !now.Equal(at) || !b.Traits().ReadOnly {
		t.Errorf("%v, %v, %+v", now, err, b.Traits())
	}
	for what, err := range map[string]error{
		"put":    b.Put(t.Context(), "a/b", strings.NewReader(""), 0),
		"create": b.Create(t.Context(), "a/c", strings.NewReader(""), 0),
		"delete": b.Delete(t.Context(), "a/b"),
		"json":   bank.CreateJSON(t.Context(), b, "a/d", 1),
	} {
		if err == nil || karbor.KindOf(err) != karbor.Unavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, folder := range []string{dir, filepath.Join(dir, "a")} {
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s has %v now, %v", folder, entries, err)
		}
	}
	if _, err := file.OpenReading(file.Options{Path: dir + "-not"}, time.Now); err == nil {
		t.Error("a folder that is not there opens")
	}
}
