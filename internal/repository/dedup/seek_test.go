package dedup

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// keysOf gives the keys of the bank that have a text in them.
func keysOf(t *testing.T, b bank.Bank, text string) (keys []string) {
	t.Helper()
	infos, err := b.List(t.Context(), "", "", bank.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if strings.Contains(i.Key, text) {
			keys = append(keys, i.Key)
		}
	}
	return keys
}

func removeAll(t *testing.T, b bank.Bank, keys []string) {
	t.Helper()
	for _, key := range keys {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStreamIsReadWithoutAnyIndexSegment(t *testing.T) {
	d, b := newDomain(t)
	data := bytes.Join([][]byte{random(1, 3<<20), make([]byte, 1<<20), random(2, 2<<20)}, nil)
	write(t.Context(), t, d, "stream", data)
	removeAll(t, b, keysOf(t, b, "/index/"))
	if got, err := read(t.Context(), reopen(t, b), "stream", 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestAnotherPlaceIsAsGood: a stream is there twice, in packs of their own. Each object of one copy
// is harmed in turn.
func TestAnotherPlaceIsAsGood(t *testing.T) {
	d, b := newDomain(t)
	data := append(random(1, 2<<20), make([]byte, 1<<20)...)
	write(t.Context(), t, d, "stream", data)
	first := append(keysOf(t, b, "/packs/"), keysOf(t, b, "/pages/")...)
	other, err := Open(t.Context(), b, "project", masterKey(), Options{Compression: format.Zstd, Index: NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	write(t.Context(), t, other, "again", data) // it knows of no chunk
	if n := len(keysOf(t, b, "/packs/")); n != 2 {
		t.Fatalf("%d packs", n)
	}
	for _, key := range first {
		good, err := get(t.Context(), b, key, format.MaxPack)
		if err != nil {
			t.Fatal(err)
		}
		for name, harm := range map[string]func(){
			"it is gone":    func() { removeAll(t, b, []string{key}) },
			"it ends early": func() { put(t, b, key, good[:len(good)/3]) },
			"it is changed": func() { put(t, b, key, append(bytes.Clone(good[:100]), bytes.Repeat([]byte{1}, len(good)-100)...)) },
		} {
			stale := reopen(t, b)
			harm()
			for _, d := range []*Domain{stale, d, reopen(t, b)} {
				for _, stream := range []string{"stream", "again"} {
					if got, err := read(t.Context(), d, stream, 0); err != nil || !bytes.Equal(got, data) {
						t.Errorf("%s %s: %d bytes of %s, %v", key, name, len(got), stream, err)
					}
				}
			}
			put(t, b, key, good)
		}
	}
	removeAll(t, b, keysOf(t, b, "/packs/"))
	_, err = read(t.Context(), d, "stream", 0)
	if _, damaged := errors.AsType[*format.DamageError](err); !damaged {
		t.Errorf("without any place: %v", err)
	}
}

// TestBankThatFailsIsNoDamage: a reader that can't look does not say that there is nothing.
func TestBankThatFailsIsNoDamage(t *testing.T) {
	d, b := newDomain(t)
	write(t.Context(), t, d, "stream", random(1, 1<<20))
	fresh := reopen(t, b)
	removeAll(t, b, keysOf(t, b, "/packs/"))
	want := karbor.Transientf("the bank is away")
	fresh.bank = away{fresh.bank, want}
	if _, err := read(t.Context(), fresh, "stream", 0); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// away is a bank that can't be listed.
type away struct {
	bank.Bank
	err error
}

func (a away) List(context.Context, string, string, int) ([]bank.Info, error) { return nil, a.err }

// selective is a Session for which some packs count as absent.
type selective struct {
	mu     sync.Mutex
	absent map[format.Name]bool
	noted  map[format.Name]bool
	ended  []bool
	refuse error
}

func (s *selective) Attach(func(context.Context, bool) error) error { return nil }
func (s *selective) Begin() References                              { return s }
func (s *selective) Generation() uint64                             { return 7 }

func (s *selective) Refer(generation uint64, pack format.Name, _ format.Kind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation != 7 || s.absent[pack] {
		return false
	}
	s.noted[pack] = true
	return true
}

func (s *selective) Store(pack format.Name, _ format.Kind) func(context.Context, error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted[pack] = true
	return func(_ context.Context, err error) error { return err }
}

func (s *selective) While(ctx context.Context, write func(context.Context) error) error {
	if s.refuse != nil {
		return s.refuse
	}
	return write(ctx)
}

func (s *selective) End(sure bool) { s.ended = append(s.ended, sure) }

func TestWriterAsksItsSession(t *testing.T) {
	_, b := newDomain(t)
	s := &selective{absent: map[format.Name]bool{}, noted: map[format.Name]bool{}}
	d, err := Open(t.Context(), b, "project", masterKey(), Options{Index: NewMemory(), Session: s})
	if err != nil {
		t.Fatal(err)
	}
	data := random(1, 2<<20)
	write(t.Context(), t, d, "first", data)
	if len(s.noted) != 2 {
		t.Errorf("%d packs that it stored are noted", len(s.noted))
	}
	s.absent, s.noted = s.noted, map[format.Name]bool{}
	if again := write(t.Context(), t, d, "second", data); again.New != int64(len(data)) || len(s.noted) != 2 {
		t.Errorf("what counts as absent is not stored again: %+v", again)
	}
	if third := write(t.Context(), t, d, "third", data); third.New != 0 || len(s.noted) != 2 {
		t.Errorf("what it refers to is not noted: %+v", third)
	}
	s.refuse = errors.New("the session is dead")
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), "fourth"); !errors.Is(err, s.refuse) {
		t.Errorf("got %v", err)
	}
	w.Abort()
	if w, err = d.Writer(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if want := []bool{true, true, true, false, false}; len(s.ended) != len(want) || s.ended[2] != want[2] || s.ended[3] != want[3] {
		t.Errorf("the streams' ends were told as %v", s.ended)
	}
}

// TestPackThatIsRepairedIsFound: the directory of a pack that no segment names was refused before.
func TestPackThatIsRepairedIsFound(t *testing.T) {
	d, b := newDomain(t)
	data := random(1, 1<<20)
	write(t.Context(), t, d, "stream", data)
	removeAll(t, b, keysOf(t, b, "/index/"))
	key := keysOf(t, b, "/packs/")[0]
	good, err := get(t.Context(), b, key, format.MaxPack)
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, key, append(bytes.Clone(good[:len(good)-100]), make([]byte, 100)...))
	fresh := reopen(t, b)
	if _, err := read(t.Context(), fresh, "stream", 0); err == nil {
		t.Fatal("it is not damaged")
	}
	put(t, b, key, good)
	if got, err := read(t.Context(), fresh, "stream", 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("after the repair: %d bytes, %v", len(got), err)
	}
}

// TestMissingPageHidesNoChunk: all places of one kind were looked at in vain, and none of the other.
func TestMissingPageHidesNoChunk(t *testing.T) {
	d, b := newDomain(t)
	write(t.Context(), t, d, "stream", random(1, 1<<20))
	root, err := d.Root(t.Context(), "stream")
	if err != nil {
		t.Fatal(err)
	}
	page, _, err := d.Seeker().Page(t.Context(), root.Pages[0], root.Size)
	if err != nil {
		t.Fatal(err)
	}
	removeAll(t, b, keysOf(t, b, "/index/"))
	s := reopen(t, b).Seeker()
	found := func(*Location) error { return nil }
	if err := s.Seek(t.Context(), format.Pages, format.ID{1}, found); !refusal(err) {
		t.Fatalf("got %v", err)
	}
	if err := s.Seek(t.Context(), format.Data, page[0].ID, found); err != nil {
		t.Error(err)
	}
}
