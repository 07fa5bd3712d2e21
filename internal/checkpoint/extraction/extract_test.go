package extraction_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint/extraction"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/protection"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const kib = 1 << 10

// stored gives a repository that holds a stream.
func stored(t testing.TB, m *banktest.Memory, content []byte) protection.Repository {
	t.Helper()
	section, err := bank.NewSection(m, "node/data")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := chunks.New(section, chunks.Options{ChunkSize: 256 * kib})
	if err != nil {
		t.Fatal(err)
	}
	w, err := streams.Create(t.Context(), "volume")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return streams
}

// sparse is a content with holes at its begin, in the middle and at its end.
func sparse() []byte {
	content := make([]byte, 3000*kib+77)
	for i := 200 * kib; i < 500*kib; i++ {
		content[i] = byte(i*7 + i>>9)
	}
	copy(content[2000*kib:], "something in the middle")
	return content
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func extract(t testing.TB, from protection.Repository, to extraction.Target) (extraction.Extracted, error) {
	t.Helper()
	return extraction.Extract(t.Context(), from, "volume", to, nil)
}

func TestFilesAreWholeAndHaveHoles(t *testing.T) {
	content := sparse()
	from := stored(t, banktest.NewMemory(), content)
	path := filepath.Join(t.TempDir(), "volume.raw")
	var last int64
	got, err := extraction.Extract(t.Context(), from, "volume", extraction.Target{Path: path}, func(done, total int64) {
		if done < last || total != int64(len(content)) {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Size != int64(len(content)) || got.SHA256 != digest(content) || got.Written >= 600*kib || last != got.Size {
		t.Errorf("%+v, %d bytes told", got, last)
	}
	text, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(text, content) {
		t.Errorf("the file has %d other bytes, %v", len(text), err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Blocks*512 >= info.Size() {
		t.Errorf("the file takes %d bytes", s.Blocks*512)
	}
	wantAlone(t, path)
}

// wantAlone wants nothing but the file in its folder.
func wantAlone(t testing.TB, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s was left there", e.Name())
		}
	}
}

func TestWhatIsThereStaysUnlessForced(t *testing.T) {
	content := sparse()
	from := stored(t, banktest.NewMemory(), content)
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := extract(t, from, extraction.Target{Path: path}); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("error %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("it is %.20q now, %v", text, err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := extract(t, from, extraction.Target{Path: link, Force: true}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, content) {
		t.Errorf("it has %d bytes now, %v", len(text), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	wantAlone(t, path)
	if _, err := extract(t, from, extraction.Target{Path: filepath.Dir(path), Force: true}); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("a folder: error %v", err)
	}
}

func TestDamageLeavesNothingInTheFilesPlace(t *testing.T) {
	m := banktest.NewMemory()
	from := stored(t, m, sparse())
	for key := range m.Snapshot() {
		if strings.HasSuffix(key, "/00000008") {
			if err := m.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "volume.raw")
	_, err := extract(t, from, extraction.Target{Path: path})
	if err == nil || !strings.Contains(err.Error(), "chunk 8 is missing") {
		t.Errorf("error %v", err)
	}
	wantAlone(t, path)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
	if _, err := extraction.Extract(t.Context(), from, "other", extraction.Target{Path: path}, nil); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a stream that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := extraction.Extract(ctx, from, "volume", extraction.Target{Path: path}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	wantAlone(t, path)
}

type short struct{ io.Writer }

func (short) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestPipesGetEveryByte(t *testing.T) {
	content := sparse()
	from := stored(t, banktest.NewMemory(), content)
	var out bytes.Buffer
	got, err := extract(t, from, extraction.Target{Out: &out})
	if err != nil || !bytes.Equal(out.Bytes(), content) || got.Written != got.Size {
		t.Errorf("%d bytes, %+v, %v", out.Len(), got, err)
	}
	if _, err := extract(t, from, extraction.Target{Out: short{}}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a broken pipe: %v", err)
	}
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	go func() {
		text, _ := os.ReadFile(path)
		read <- text
	}()
	if _, err := extract(t, from, extraction.Target{Path: path}); err != nil {
		t.Error(err)
	}
	if text := <-read; !bytes.Equal(text, content) {
		t.Errorf("%d other bytes came through the named pipe", len(text))
	}
}

func TestAnyContentComesBack(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		var content []byte
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		for range rapid.IntRange(0, 5).Draw(r, "parts") {
			part := make([]byte, rapid.IntRange(0, 200*kib).Draw(r, "length"))
			if rapid.Bool().Draw(r, "data") {
				for i := range part {
					part[i] = byte(random.Uint32())
				}
			}
			content = append(content, part...)
		}
		path := filepath.Join(dir, "volume.raw")
		got, err := extract(t, stored(t, banktest.NewMemory(), content), extraction.Target{Path: path, Force: true})
		if err != nil || got.SHA256 != digest(content) {
			r.Fatalf("%+v, %v", got, err)
		}
		if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, content) {
			r.Fatalf("%d other bytes of %d, %v", len(text), len(content), err)
		}
	})
}
