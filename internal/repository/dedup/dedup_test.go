package dedup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func masterKey() (k format.Key) {
	copy(k[:], "a master key for tests, 32 bytes")
	return k
}

// newDomain makes a domain in a bank in memory.
func newDomain(t testing.TB) (*Domain, bank.Bank) {
	t.Helper()
	b := banktest.NewMemory()
	d, err := Create(t.Context(), b, "project", masterKey(), created, Options{Compression: format.Zstd, Index: NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	return d, b
}

// reopen opens the domain as another process does, with nothing but the bank.
func reopen(t testing.TB, b bank.Bank) *Domain {
	t.Helper()
	d, err := Open(t.Context(), b, "project", masterKey(), Options{Compression: format.Zstd, Index: NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	if damaged, err := d.LoadIndex(t.Context()); err != nil || damaged != nil {
		t.Fatal(err, damaged)
	}
	return d
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// fatal is what testing.T and rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

func write(ctx context.Context, t fatal, d *Domain, key string, data []byte) Summary {
	t.Helper()
	w, err := d.Writer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	s, err := w.Commit(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(ctx context.Context, d *Domain, key string, offset int64) ([]byte, error) {
	r, err := d.Reader(ctx, key, offset)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	return text, errors.Join(err, r.Close())
}

func TestStreamsComeBack(t *testing.T) {
	d, b := newDomain(t)
	streams := map[string][]byte{
		"empty": {}, "one": {1}, "zero byte": {0}, "block": random(1, format.Block), "hole": make([]byte, 3*format.Granule),
		"odd":   append(random(2, 5<<20), 0, 0, 0),
		"mixed": bytes.Join([][]byte{random(3, 9<<20), make([]byte, 12<<20+5), random(4, 3<<20+17), make([]byte, 100)}, nil),
		"long":  append(make([]byte, 40<<20), random(5, 40<<20)...),
	}
	for name, data := range streams {
		s := write(t.Context(), t, d, "streams/"+karbor.NewID(), data)
		if s.Size != int64(len(data)) {
			t.Errorf("%s: the size is %d", name, s.Size)
		}
		key := "streams/" + karbor.NewID()
		write(t.Context(), t, d, key, data)
		for _, d := range []*Domain{d, reopen(t, b)} {
			for _, offset := range []int64{0, 1, format.Granule, 7<<20 + 3, int64(len(data)) - 1, int64(len(data)), int64(len(data)) + 1} {
				offset = max(offset, 0)
				got, err := read(t.Context(), d, key, offset)
				if err != nil || !bytes.Equal(got, data[min(offset, int64(len(data))):]) {
					t.Errorf("%s from %d on does not come back: %d bytes, %v", name, offset, len(got), err)
				}
			}
		}
	}
}

func TestWhatIsStoredIsNotStoredAgain(t *testing.T) {
	d, b := newDomain(t)
	data := append(random(1, 20<<20), make([]byte, 20<<20)...)
	first := write(t.Context(), t, d, "first", data)
	if first.New != 20<<20 || first.Stored < 20<<20 || first.Stored > 21<<20 {
		t.Errorf("first: %+v", first)
	}
	copy(data[5<<20:], random(2, 4096))
	for name, d := range map[string]*Domain{"same-process": d, "other-process": reopen(t, b)} {
		again := write(t.Context(), t, d, name, data)
		if again.New > 2*format.MaxChunk || name == "same-process" && again.New == 0 || again.Stored > again.New+64<<10 {
			t.Errorf("%s: of 20 MiB with one changed block: %+v", name, again)
		}
	}
	if s := write(t.Context(), t, reopen(t, b), "third", data); s.New != 0 || s.Stored != 0 || s.NewChunks != 0 || s.Chunks == 0 {
		t.Errorf("nothing is new: %+v", s)
	}
}

func TestRepeatsWithinOneStreamAreStoredOnce(t *testing.T) {
	d, _ := newDomain(t)
	part := random(1, 1<<20)
	s := write(t.Context(), t, d, "stream", bytes.Repeat(part, 30))
	if s.New > 3<<20 {
		t.Errorf("a part that comes 30 times: %+v", s)
	}
}

func TestHolesNeedNoBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, _ := newDomainIn(t)
		w, err := d.Writer(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		var want []byte
		for i := range rapid.IntRange(1, 6).Draw(t, "parts") {
			n := rapid.IntRange(1, 700<<10).Draw(t, "length")
			if rapid.Bool().Draw(t, "hole") {
				if err := w.Hole(int64(n)); err != nil {
					t.Fatal(err)
				}
				want = append(want, make([]byte, n)...)
			} else {
				data := random(uint64(i), n)
				if _, err := w.Write(data); err != nil {
					t.Fatal(err)
				}
				want = append(want, data...)
			}
		}
		if _, err := w.Commit(context.Background(), "stream"); err != nil {
			t.Fatal(err)
		}
		if got, err := read(context.Background(), d, "stream", 0); err != nil || !bytes.Equal(got, want) {
			t.Fatal("it does not come back", err)
		}
		// Written as bytes it is cut alike: nothing is new.
		if s := write(context.Background(), t, d, "bytes", want); s.New != 0 {
			t.Fatal("holes were cut in another way than bytes", s)
		}
	})
}

func newDomainIn(t *rapid.T) (*Domain, bank.Bank) {
	b := banktest.NewMemory()
	d, err := Create(context.Background(), b, "project", masterKey(), created, Options{Compression: format.S2, Workers: 2, Index: NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	return d, b
}

func TestTerabyteOfNothingIsWrittenAtOnce(t *testing.T) {
	d, _ := newDomain(t)
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Hole(1 << 40); err != nil {
		t.Fatal(err)
	}
	s, err := w.Commit(t.Context(), "stream")
	if err != nil || s.Size != 1<<40 || s.Stored != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	_, b := newDomain(t)
	_, err := Open(t.Context(), b, "project", format.Key{1}, Options{Index: NewMemory()})
	if _, ok := errors.AsType[*format.DamageError](err); !ok {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), b, "other", masterKey(), Options{}); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("got %v", err)
	}
	if _, err := Create(t.Context(), b, "project", masterKey(), created, Options{}); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("got %v", err)
	}
}

// TestNoChangedByteOfTheBankIsRead changes each byte of a small repository in turn.
func TestNoChangedByteOfTheBankIsRead(t *testing.T) {
	d, b := newDomain(t)
	data := append(random(1, 3000), make([]byte, 70<<10)...)
	write(t.Context(), t, d, "stream", data)
	objects, err := b.List(t.Context(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		good, err := get(t.Context(), b, o.Key, o.Size)
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			put(t, b, o.Key, bad)
			if got, ok := readAll(t, b); ok && !bytes.Equal(got, data) {
				t.Errorf("byte %d of %s was changed, and wrong bytes came back", i, o.Key)
			}
		}
		put(t, b, o.Key, good[:len(good)/2])
		if got, ok := readAll(t, b); ok && !bytes.Equal(got, data) {
			t.Errorf("%s was cut off, and wrong bytes came back", o.Key)
		}
		put(t, b, o.Key, good)
	}
	if got, ok := readAll(t, b); !ok || !bytes.Equal(got, data) {
		t.Error("the whole repository can't be read any more")
	}
}

func put(t *testing.T, b bank.Bank, key string, object []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(object), int64(len(object))); err != nil {
		t.Fatal(err)
	}
}

// readAll reads the stream with nothing but the bank; ok is false if that was refused.
func readAll(t *testing.T, b bank.Bank) ([]byte, bool) {
	t.Helper()
	d, err := Open(t.Context(), b, "project", masterKey(), Options{Index: NewMemory()})
	if err != nil {
		return nil, false
	}
	if _, err := d.LoadIndex(t.Context()); err != nil {
		return nil, false
	}
	got, err := read(t.Context(), d, "stream", 0)
	return got, err == nil
}

func TestAbortedStreamLeavesNoManifestAndNoGoroutine(t *testing.T) {
	d, b := newDomain(t)
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(random(1, 50<<20)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write([]byte{1}); err == nil {
		t.Error("it still takes bytes")
	}
	if _, err := w.Commit(t.Context(), "stream"); err == nil {
		t.Error("it can still be committed")
	}
	if _, err := b.Stat(t.Context(), "stream"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestFailingBankEndsTheWriter(t *testing.T) {
	d, _ := newDomain(t)
	want := errors.New("the bank is on fire")
	d.bank = burning{d.bank, want}
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for range 100 {
		if _, err = w.Write(random(rand.Uint64(), 4<<20)); err != nil {
			break
		}
	}
	if err == nil {
		_, err = w.Commit(t.Context(), "stream")
	}
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// burning is a bank that can't be written to.
type burning struct {
	bank.Bank
	err error
}

func (b burning) Create(context.Context, string, io.Reader, int64) error { return b.err }
