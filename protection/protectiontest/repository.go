package protectiontest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Repository is the suite that every kind of bulk data passes. open gives an empty
// repository of a node.
func Repository(t *testing.T, open func(t *testing.T) protection.Repository) {
	t.Run("what was committed comes back", func(t *testing.T) { comesBack(t, open(t)) })
	t.Run("what was not committed is not there", func(t *testing.T) { notThere(t, open(t)) })
	t.Run("a writer takes the place of one that was left", func(t *testing.T) { takesOver(t, open(t)) })
	t.Run("complete data is not written again", func(t *testing.T) { writtenOnce(t, open(t)) })
	t.Run("removed data is gone and may be written anew", func(t *testing.T) { removed(t, open(t)) })
	t.Run("streams do not disturb each other", func(t *testing.T) { sideBySide(t, open(t)) })
	t.Run("names with a slash are refused", func(t *testing.T) { slashes(t, open(t)) })
}

// stream gives size bytes: random ones and zeros, in turn.
func stream(size int, seed uint64) []byte {
	data := make([]byte, size)
	random := rand.NewChaCha8([32]byte{byte(seed)})
	const part = 300_000
	for from := 0; from < size; from += 2 * part {
		_, _ = random.Read(data[from:min(from+part, size)]) // never fails
	}
	return data
}

func put(t *testing.T, r protection.Repository, name string, data []byte) (protection.Summary, error) {
	t.Helper()
	w, err := r.Create(t.Context(), name)
	if err != nil {
		return protection.Summary{}, err
	}
	for rest, size := data, 1; len(rest) > 0; size = size*3 + 1 {
		n := min(size, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			return protection.Summary{}, errors.Join(err, w.Abort(t.Context()))
		}
		rest = rest[n:]
	}
	s, err := w.Commit(t.Context())
	if err != nil {
		return s, errors.Join(err, w.Abort(t.Context()))
	}
	return s, nil
}

func mustPut(t *testing.T, r protection.Repository, name string, data []byte) protection.Summary {
	t.Helper()
	s, err := put(t, r, name, data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func expectData(t *testing.T, r protection.Repository, name string, want []byte) {
	t.Helper()
	in, err := r.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != nil || !bytes.Equal(got, want) || in.Summary().Size != int64(len(want)) {
		t.Errorf("%d bytes come back of %d, the summary says %d; error %v", len(got), len(want), in.Summary().Size, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func comesBack(t *testing.T, r protection.Repository) {
	for n, size := range []int{0, 1, 4096, 65_537, 3_000_000, 12_345_678} {
		name, data := fmt.Sprint("stream-", size), stream(size, uint64(n))
		s := mustPut(t, r, name, data)
		if s.Size != int64(size) || s.New < 0 || s.New > s.Size || s.Stored < 0 || size > 1_000_000 && (s.New == 0 || s.Stored == 0) {
			t.Errorf("%d bytes: summary %+v", size, s)
		}
		expectData(t, r, name, data)
		again, err := r.Stat(t.Context(), name)
		if err != nil || again != s {
			t.Errorf("%d bytes: Stat gives %+v, %v; Commit gave %+v", size, again, err, s)
		}
		last := int64(0)
		err = r.Verify(t.Context(), name, func(done, total int64) {
			if done <= last || total != int64(size) {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
		})
		if err != nil || last != int64(size) {
			t.Errorf("%d bytes: verified %d, error %v", size, last, err)
		}
	}
}

func notThere(t *testing.T, r protection.Repository) {
	check := func(name string) {
		t.Helper()
		_, openErr := r.Open(t.Context(), name)
		_, statErr := r.Stat(t.Context(), name)
		for _, err := range []error{openErr, statErr, r.Verify(t.Context(), name, nil)} {
			if err == nil || karbor.KindOf(err) != karbor.NotFound {
				t.Errorf("%s: got %v, want that it is not there", name, err)
			}
		}
		if err := r.Remove(t.Context(), name); err != nil {
			t.Errorf("removing %s: %v", name, err)
		}
	}
	check("never")
	w, err := r.Create(t.Context(), "aborted")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(stream(2_000_000, 1)); err != nil {
		t.Fatal(err)
	}
	check("aborted")
	if err := w.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte{1}); err == nil {
		t.Error("an aborted writer takes a byte")
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("an aborted writer commits")
	}
	check("aborted")
}

func takesOver(t *testing.T, r protection.Repository) {
	left, err := r.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Write(stream(9_000_000, 1)); err != nil {
		t.Fatal(err)
	}
	data := stream(5_000_000, 2)
	mustPut(t, r, "x", data)
	if _, err := left.Commit(t.Context()); err == nil {
		t.Error("the writer that was left commits, too")
	}
	if err := left.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	expectData(t, r, "x", data)
}

func writtenOnce(t *testing.T, r protection.Repository) {
	data := stream(1000, 1)
	mustPut(t, r, "x", data)
	if _, err := put(t, r, "x", stream(1000, 2)); err == nil || karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("writing again: %v, want a conflict", err)
	}
	expectData(t, r, "x", data)
}

func removed(t *testing.T, r protection.Repository) {
	mustPut(t, r, "x", stream(3_000_000, 1))
	for range 2 {
		if err := r.Remove(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Stat(t.Context(), "x"); err == nil || karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("after Remove: %v", err)
	}
	data := stream(2_000_000, 2)
	mustPut(t, r, "x", data)
	expectData(t, r, "x", data)
}

func sideBySide(t *testing.T, r protection.Repository) {
	names := []string{"a", "a.b", "b"}
	for n := range names {
		t.Run(names[n], func(t *testing.T) {
			t.Parallel()
			data := stream(4_000_000, uint64(n))
			mustPut(t, r, names[n], data)
			expectData(t, r, names[n], data)
		})
	}
}

func slashes(t *testing.T, r protection.Repository) {
	_, createErr := r.Create(t.Context(), "a/b")
	_, openErr := r.Open(t.Context(), "a/b")
	_, statErr := r.Stat(t.Context(), "a/b")
	for _, err := range []error{createErr, openErr, statErr, r.Remove(t.Context(), "a/b")} {
		if err == nil || karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("got %v, want that it is refused", err)
		}
	}
}
