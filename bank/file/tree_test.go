package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

func TestFileIsABankWhereASystemCallIsMissing(t *testing.T) {
	banktest.Run(t, func(t *testing.T) bank.Bank {
		b := openAt(t, t.TempDir())
		b.Walk()
		return b
	})
}

func TestNothingLeadsOutOfTheFolder(t *testing.T) {
	for _, name := range []string{"at once", "walking"} {
		t.Run(name, func(t *testing.T) { testNothingLeadsOutOfTheFolder(t, name == "walking") })
	}
}

func testNothingLeadsOutOfTheFolder(t *testing.T, walk bool) {
	dir, outside := t.TempDir(), t.TempDir()
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	if walk {
		b.Walk()
	}
	if err := os.WriteFile(filepath.Join(outside, "secret="), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"link": outside, "object=": filepath.Join(outside, "secret="), "up": "../" + filepath.Base(outside),
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"link/secret", "up/secret", "object"} {
		if _, err := b.Get(t.Context(), key, 0, -1); err == nil {
			t.Errorf("get %s: reads from outside", key)
		}
	}
	for _, key := range []string{"link/new", "link/new/x", "up/new"} {
		if b.Put(t.Context(), key, strings.NewReader("x"), 1) == nil || b.Create(t.Context(), key, strings.NewReader(""), 0) == nil {
			t.Errorf("%s: writes outside", key)
		}
		_ = b.Delete(t.Context(), key)
	}
	_ = b.Delete(t.Context(), "link/secret")
	infos, err := b.List(t.Context(), "", "", 10)
	if err != nil || len(infos) != 0 {
		t.Errorf("lists %v, error %v", infos, err)
	}
	for _, prefix := range []string{"link/", "up/"} {
		if infos, err := b.List(t.Context(), prefix, "", 10); err == nil && len(infos) != 0 {
			t.Errorf("%s: lists %v", prefix, infos)
		}
	}
	if diff := cmp.Diff([]string{"secret="}, tree(t, outside)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoObjectIsNotListed(t *testing.T) {
	for _, name := range []string{"at once", "walking"} {
		t.Run(name, func(t *testing.T) { testWhatIsNoObjectIsNotListed(t, name == "walking") })
	}
}

func testWhatIsNoObjectIsNotListed(t *testing.T, walk bool) {
	dir := t.TempDir()
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	if walk {
		b.Walk()
	}
	banktest.Store(t, b, "a", "x")
	for link, target := range map[string]string{"twin": "folder", "b=": "a="} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "folder"), 0o700), os.Mkdir(filepath.Join(dir, "c="), 0o700),
		os.WriteFile(filepath.Join(dir, "folder", "README"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), "c"); err != nil {
		t.Errorf("removing an object where a folder is: %v", err)
	}
	for _, name := range []string{"README", "with space=", "a==", "=", "lost+found/x="} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe="), 0o600); err != nil {
		t.Fatal(err)
	}
	infos, err := b.List(t.Context(), "", "", 10)
	if err != nil || len(infos) != 1 || infos[0].Key != "a" {
		t.Errorf("lists %v, error %v", infos, err)
	}
	if _, err := b.Get(t.Context(), "pipe", 0, -1); err == nil {
		t.Error("a pipe is an object")
	}
}

// TestWritersShareAFolderThatComesAndGoes has many write into a folder that each
// of them removes again when it is empty.
func TestWritersShareAFolderThatComesAndGoes(t *testing.T) {
	b := openAt(t, t.TempDir())
	defer func() { _ = b.Close() }()
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 40 {
				key, text := fmt.Sprintf("a/b/%d-%d", w, i), strings.Repeat("x", i%2)
				if err := b.Create(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
					t.Error(err)
				}
				info, err := b.Stat(t.Context(), key)
				if err != nil || info.Size != int64(len(text)) {
					t.Errorf("%s has %d bytes, error %v", key, info.Size, err)
				}
				if err := b.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
