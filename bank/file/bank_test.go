package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/file"
)

// writerFolder, when set, makes this program a writer that TestKilledWriter kills.
const writerFolder = "KARBOR_TEST_WRITER_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerFolder); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

func openAt(t testing.TB, dir string) *file.Bank {
	t.Helper()
	b, err := file.Open(t.Context(), file.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tree gives the files and folders under dir; folders end in a slash.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+"/"))
		if e.IsDir() {
			name += "/"
		}
		out = append(out, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFileIsABank(t *testing.T) {
	banktest.Run(t, func(t *testing.T) bank.Bank { return openAt(t, t.TempDir()) })
}

func TestObjectsLieWhereTheFormatSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "bank")
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	for _, key := range []string{"a", "a/b", "a/b/c", "x@y/.z-_"} {
		banktest.Store(t, b, key, key)
	}
	want := []string{"=clock", "=reserve", "=tmp/", "a/", "a/b/", "a/b/c=", "a/b=", "a=", "x@y/", "x@y/.z-_="}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	for _, name := range want {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v: others may look in", name, info.Mode())
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "a", "b="))
	if err != nil || string(text) != "a/b" {
		t.Errorf("a/b= holds %q, error %v", text, err)
	}
}

func TestEmptyFoldersGo(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	banktest.Store(t, b, "a/b/c/d", "x")
	banktest.Store(t, b, "a/e", "x")
	for _, key := range []string{"a/b/c/d", "a/e"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"=clock", "=reserve", "=tmp/"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestObjectsAreThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir)
	banktest.Store(t, b, "a/b", "text")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAt(t, dir)
	defer func() { _ = b.Close() }()
	if err := b.Create(t.Context(), "a/b", strings.NewReader(""), 0); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("create: %v, want a conflict", err)
	}
}

func TestFailuresLeaveNoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	banktest.Store(t, b, "taken", "x")
	for _, err := range []error{
		b.Create(t.Context(), "taken", strings.NewReader("y"), 1),
		b.Put(t.Context(), "short", strings.NewReader("y"), 2),
		b.Put(t.Context(), "taken/../x", strings.NewReader("y"), 1),
	} {
		if err == nil {
			t.Error("no failure")
		}
	}
	if diff := cmp.Diff([]string{"=clock", "=reserve", "=tmp/", "taken="}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyStaleTemporaryFilesAreRemovedAtOpening(t *testing.T) {
	dir := t.TempDir()
	if err := openAt(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"stale": 25 * time.Hour, "fresh": 23 * time.Hour} {
		path := filepath.Join(dir, "=tmp", name)
		if err := os.WriteFile(path, []byte("part"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	if diff := cmp.Diff([]string{"=clock", "=reserve", "=tmp/", "=tmp/fresh"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	for text, ok := range map[string]bool{
		"path: " + dir: true, "path: relative": false, "path: /": false, "path: ''": false, "{}": false,
		"path: " + dir + "\nmore: 1": false,
	} {
		doc, err := parser.ParseBytes([]byte(text), 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := file.Plugin.Open(t.Context(), doc.Docs[0].Body)
		if (err == nil) != ok {
			t.Errorf("%q: error %v", text, err)
		}
		if err == nil {
			_ = b.Close()
		}
	}
}

// writeForEver creates and replaces objects that say how long they are, and
// prints each key after its write has returned.
func writeForEver(dir string) {
	b, err := file.Open(context.Background(), file.Options{Path: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		key := fmt.Sprintf("d%d/%d", i%3, i%50)
		text := strings.Repeat(fmt.Sprintf("%08d", i), 1000+i%5000)
		if err := b.Put(context.Background(), key, strings.NewReader(text), int64(len(text))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(key, i)
	}
}

func TestKilledWriterLeavesWholeObjectsOnly(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), writerFolder+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	written := map[string]int{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var key string
		var i int
		if _, err := fmt.Sscan(lines.Text(), &key, &i); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		written[key] = i
		if len(written) >= 50 && i%7 == 3 {
			break
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = child.Wait() // it was killed
	b := openAt(t, dir)
	defer func() { _ = b.Close() }()
	infos, err := b.List(t.Context(), "", "", bank.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, info := range infos {
		body, err := b.Get(t.Context(), info.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err = errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscanf(string(text[:8]), "%d", &i); err != nil || string(text) != strings.Repeat(fmt.Sprintf("%08d", i), 1000+i%5000) {
			t.Errorf("%s holds a part or a mixture: %d bytes, error %v", info.Key, len(text), err)
		}
		if i < written[info.Key] {
			t.Errorf("%s holds write %d, though write %d had returned", info.Key, i, written[info.Key])
		}
		listed = append(listed, info.Key)
	}
	for key := range written {
		if !slices.Contains(listed, key) {
			t.Errorf("%s is lost", key)
		}
	}
}
