package chunks_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/protection"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const chunkSize = 1000

func open(t testing.TB, b bank.Bank) *chunks.Streams {
	t.Helper()
	section, err := bank.NewSection(b, "node/data")
	if err != nil {
		t.Fatal(err)
	}
	c, err := chunks.New(section, chunks.Options{ChunkSize: chunkSize})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func random(size int) []byte {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func store(t testing.TB, c *chunks.Streams, name string, data []byte) protection.Summary {
	t.Helper()
	w, err := c.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	s, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func load(ctx context.Context, c *chunks.Streams, name string) ([]byte, error) {
	r, err := c.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func summary(data []byte) protection.Summary {
	sum := sha256.Sum256(data)
	s := protection.Summary{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	for part := range slices.Chunk(data, chunkSize) {
		if len(bytes.Trim(part, "\x00")) > 0 {
			s.New += int64(len(part))
		}
	}
	s.Stored = s.New
	return s
}

func wantKind(t *testing.T, err error, kind karbor.Kind) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("error %v of kind %v, want kind %v", err, karbor.KindOf(err), kind)
	}
}

func TestChunksGiveBackEveryStream(t *testing.T) {
	c := open(t, banktest.NewMemory())
	for _, size := range []int{0, 1, 999, 1000, 1001, 2000, 9999, 123_456} {
		name := fmt.Sprint("size-", size)
		data := random(size)
		want := summary(data)
		if diff := cmp.Diff(want, store(t, c, name, data)); diff != "" {
			t.Errorf("%d bytes: summary: %s", size, diff)
		}
		got, err := load(t.Context(), c, name)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: %d others come back, error %v", size, len(got), err)
		}
		s, err := c.Stat(t.Context(), name)
		if err != nil || s != want {
			t.Errorf("%d bytes: stat %v, %v", size, s, err)
		}
		var last int64
		if err := c.Verify(t.Context(), name, func(done, total int64) {
			if done <= last || total != int64(size) {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
		}); err != nil || last != int64(size) {
			t.Errorf("%d bytes: verify: %v after %d bytes", size, err, last)
		}
	}
}

func TestChunksGiveBackStreamsHoweverWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := open(t, banktest.NewMemory())
		w, err := c.Create(t.Context(), "x")
		if err != nil {
			r.Fatal(err)
		}
		var want []byte
		for _, size := range rapid.SliceOf(rapid.IntRange(0, 3000)).Draw(r, "writes") {
			part := random(size)
			if rapid.Bool().Draw(r, "zero") {
				clear(part)
			}
			want = append(want, part...)
			if n, err := w.Write(part); n != size || err != nil {
				r.Fatal(n, err)
			}
		}
		s, err := w.Commit(t.Context())
		if err != nil || s != summary(want) {
			r.Fatal(s, err)
		}
		offset := rapid.IntRange(0, len(want)).Draw(r, "offset")
		reader, err := c.OpenAt(t.Context(), "x", int64(offset))
		if err != nil {
			r.Fatal(err)
		}
		got := make([]byte, 0, len(want))
		buf := make([]byte, rapid.IntRange(1, 2500).Draw(r, "buffer"))
		for err == nil {
			var n int
			n, err = reader.Read(buf)
			got = append(got, buf[:n]...)
		}
		if !errors.Is(err, io.EOF) || !bytes.Equal(got, want[offset:]) || reader.Summary() != s {
			r.Fatalf("%d bytes from %d, error %v", len(got), offset, err)
		}
		if err := reader.Close(); err != nil {
			r.Fatal(err)
		}
	})
}

func TestZeroChunksTakeNoObjects(t *testing.T) {
	m := banktest.NewMemory()
	c := open(t, m)
	data := make([]byte, 100*chunkSize+1)
	data[50*chunkSize] = 1
	store(t, c, "sparse", data)
	if n := len(m.Snapshot()); n != 2 {
		t.Errorf("%d objects, want the manifest and one chunk", n)
	}
	got, err := load(t.Context(), c, "sparse")
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes come back, error %v", len(got), err)
	}
}

// chunkKeys gives the keys of the chunks in a bank, in order.
func chunkKeys(m *banktest.Memory) []string {
	var out []string
	for key := range m.Snapshot() {
		if !strings.HasSuffix(key, "/manifest") {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	put := func(t *testing.T, m *banktest.Memory, key, text string) {
		if err := m.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, m *banktest.Memory, chunks []string)
		want   string
	}{
		{"a flipped bit", func(t *testing.T, m *banktest.Memory, chunks []string) {
			text := []byte(m.Snapshot()[chunks[1]])
			text[77] ^= 1
			put(t, m, chunks[1], string(text))
		}, "chunk 2 has wrong bytes"},
		{"a missing chunk", func(t *testing.T, m *banktest.Memory, chunks []string) {
			if err := m.Delete(t.Context(), chunks[2]); err != nil {
				t.Fatal(err)
			}
		}, "chunk 3 is missing"},
		{"a short chunk", func(t *testing.T, m *banktest.Memory, chunks []string) {
			put(t, m, chunks[0], m.Snapshot()[chunks[0]][:999])
		}, "chunk 1 has 999 bytes and not 1000"},
		{"a long chunk", func(t *testing.T, m *banktest.Memory, chunks []string) {
			put(t, m, chunks[0], m.Snapshot()[chunks[0]]+"x")
		}, "chunk 1 has more than 1000 bytes"},
		{"an empty chunk", func(t *testing.T, m *banktest.Memory, chunks []string) {
			put(t, m, chunks[3], "")
		}, "chunk 4 has 0 bytes and not 500"},
		{"swapped chunks", func(t *testing.T, m *banktest.Memory, chunks []string) {
			all := m.Snapshot()
			put(t, m, chunks[0], all[chunks[1]])
			put(t, m, chunks[1], all[chunks[0]])
		}, "chunk 1 has wrong bytes"},
		{"another whole digest", func(t *testing.T, m *banktest.Memory, _ []string) {
			key := "node/data/x/manifest"
			text := m.Snapshot()[key]
			put(t, m, key, strings.Replace(text, summary(random(3500)).SHA256, summary(nil).SHA256, 1))
		}, "the whole has the SHA-256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := banktest.NewMemory()
			c := open(t, m)
			data := random(3500)
			store(t, c, "x", data)
			test.damage(t, m, chunkKeys(m))
			got, err := load(t.Context(), c, "x")
			wantKind(t, err, karbor.Internal)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("read: %v, want %q", err, test.want)
			}
			if !bytes.HasPrefix(data, got) || len(got) == len(data) {
				t.Errorf("%d bytes were handed out", len(got))
			}
			if err := c.Verify(t.Context(), "x", nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("verify: %v, want %q", err, test.want)
			}
		})
	}
}

func TestCreateOfCompleteDataIsConflict(t *testing.T) {
	c := open(t, banktest.NewMemory())
	data := random(10)
	store(t, c, "x", data)
	_, err := c.Create(t.Context(), "x")
	wantKind(t, err, karbor.Conflict)
	if got, err := load(t.Context(), c, "x"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCreateTakesThePlaceOfAnUnfinishedWriter(t *testing.T) {
	m := banktest.NewMemory()
	c := open(t, m)
	slow, err := c.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Write(random(3500)); err != nil {
		t.Fatal(err)
	}
	data := random(2500)
	store(t, c, "x", data)
	if _, err := slow.Commit(t.Context()); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("the slow writer's commit: %v, want a conflict", err)
	}
	if err := slow.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := load(t.Context(), c, "x"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := len(m.Snapshot()); n != 4 {
		t.Errorf("%d objects, want 3 chunks and a manifest", n)
	}
}

func TestSlowWriterWhoseChunksWereClearedCannotCommit(t *testing.T) {
	c := open(t, banktest.NewMemory())
	slow, err := c.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Write(random(1500)); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	// Remove may have come before the first chunk was stored; then all is well.
	if _, err := slow.Commit(t.Context()); err != nil {
		wantKind(t, err, karbor.Conflict)
		if err := slow.Abort(t.Context()); err != nil {
			t.Error(err)
		}
	} else if err := c.Verify(t.Context(), "x", nil); err != nil {
		t.Errorf("committed broken data: %v", err)
	}
}

func TestAbortAndRemoveLeaveNothing(t *testing.T) {
	m := banktest.NewMemory()
	c := open(t, m)
	store(t, c, "kept", random(10))
	before := m.Snapshot()
	w, err := c.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(random(5555)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Abort(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("an aborted writer takes bytes")
	}
	store(t, c, "y", random(5555))
	for range 2 {
		if err := c.Remove(t.Context(), "y"); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
		t.Error(diff)
	}
	_, err = c.Open(t.Context(), "y")
	wantKind(t, err, karbor.NotFound)
	_, err = c.Stat(t.Context(), "x")
	wantKind(t, err, karbor.NotFound)
	wantKind(t, c.Verify(t.Context(), "x", nil), karbor.NotFound)
}

func TestNamesAreOnePartOfAKey(t *testing.T) {
	c := open(t, banktest.NewMemory())
	for _, name := range []string{"", ".", "..", "a/b", "/", "a b", "a/"} {
		_, err := c.Create(t.Context(), name)
		wantKind(t, err, karbor.Invalid)
		_, err = c.Open(t.Context(), name)
		wantKind(t, err, karbor.Invalid)
		wantKind(t, c.Remove(t.Context(), name), karbor.Invalid)
	}
}
