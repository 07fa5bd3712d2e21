package copying

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
	"github.com/karbor/karbor/internal/repository/verification"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const domainName = "project"

func key(text string) (k format.Key) {
	copy(k[:], text+" is a key that has 32 bytes, or more")
	return k
}

// open opens a domain with nothing but the bank.
func open(t testing.TB, b bank.Bank, master string) *dedup.Domain {
	t.Helper()
	d, err := dedup.Open(t.Context(), b, domainName, key(master), dedup.Options{Compression: format.Zstd, Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.LoadIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func newSource(t testing.TB, master string) (*dedup.Domain, *banktest.Memory) {
	t.Helper()
	b := banktest.NewMemory()
	d, err := dedup.Create(t.Context(), b, domainName, key(master), created, dedup.Options{Compression: format.Zstd, Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, dedup.SlotsPrefix(domainName)+karbor.NewID(), []byte(`{"slot": "of a test"}`))
	return d, b
}

// twin makes the source's twin in a new bank.
func twin(t testing.TB, from bank.Bank) *banktest.Memory {
	t.Helper()
	to := banktest.NewMemory()
	if is, err := Twin(t.Context(), from, to, domainName); err != nil || !is {
		t.Fatal(is, err)
	}
	return to
}

func put(t testing.TB, b bank.Bank, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func object(t testing.TB, b bank.Bank, key string) []byte {
	t.Helper()
	r, err := b.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func keys(t testing.TB, b bank.Bank, prefix string) []string {
	t.Helper()
	infos, err := b.List(t.Context(), prefix, "", bank.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(infos))
	for i := range infos {
		out[i] = infos[i].Key
	}
	return out
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func write(t testing.TB, d *dedup.Domain, key string, data []byte) {
	t.Helper()
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// expect makes sure that a stream reads as what was written, and that all of its packs are whole.
func expect(t testing.TB, d *dedup.Domain, key string, data []byte) {
	t.Helper()
	r, err := d.Reader(t.Context(), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%s does not come back: %v", key, err)
	}
	found, err := verification.Streams(t.Context(), d, []verification.Stream{{Key: key}}, verification.Options{Now: func() time.Time { return created }, Workers: 1})
	if err != nil || !found.Good() {
		t.Fatalf("%s: %+v, %v", key, found, err)
	}
}

func one(from, to string) []Stream { return []Stream{{From: from, To: to}} }

func TestOnlyWhatIsMissingTravelsBetweenTwins(t *testing.T) {
	from, b := newSource(t, "this")
	to := open(t, twin(t, b), "this")
	if !Same(from, to) {
		t.Fatal("twins are not the same")
	}
	data := append(random(1, 9<<20), make([]byte, 3<<20)...)
	write(t, from, "a/manifest", data)
	r, err := Streams(t.Context(), from, to, one("a/manifest", "copy/a/manifest"), Options{})
	if err != nil || !r.Undecoded || r.Packs != 2 || r.Groups != 0 || r.Size != int64(len(data)) || r.Bytes < 9<<20 || r.Bytes > 10<<20 {
		t.Errorf("the first copy: %+v, %v", r, err)
	}
	expect(t, to, "copy/a/manifest", data)
	expect(t, open(t, to.Bank(), "this"), "copy/a/manifest", data)
	// Packs keep their names.
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		for _, k := range keys(t, b, dedup.PacksPrefix(domainName, kind)) {
			if !bytes.Equal(object(t, b, k), object(t, to.Bank(), k)) {
				t.Errorf("%s is another", k)
			}
		}
	}
	// The same under another key: only a manifest travels.
	r, err = Streams(t.Context(), from, to, one("a/manifest", "copy/b/manifest"), Options{})
	if err != nil || r.Packs+r.Groups > 0 || r.Bytes > 0 {
		t.Errorf("the second copy: %+v, %v", r, err)
	}
	// And once more: nothing does.
	r, err = Streams(t.Context(), from, to, one("a/manifest", "copy/b/manifest"), Options{})
	if err != nil || r.Present != 1 || r.Size > 0 {
		t.Errorf("the third copy: %+v, %v", r, err)
	}
	// Another stream that shares most: what was written for it.
	changed := slices.Clone(data)
	copy(changed[4<<20:], random(2, 4096))
	write(t, from, "c/manifest", changed)
	r, err = Streams(t.Context(), from, to, one("c/manifest", "copy/c/manifest"), Options{})
	if err != nil || r.Bytes > 1<<20 || r.Bytes == 0 {
		t.Errorf("a copy of what has changed a little: %+v, %v", r, err)
	}
	expect(t, to, "copy/c/manifest", changed)
}

func TestOfAPackThatIsNotNeededAsAWholeOnlyGroupsTravel(t *testing.T) {
	from, b := newSource(t, "this")
	data := random(1, 12<<20)
	write(t, from, "whole/manifest", data)
	write(t, from, "part/manifest", data[:4<<20])
	to := open(t, twin(t, b), "this")
	r, err := Streams(t.Context(), from, to, one("part/manifest", "part/manifest"), Options{})
	if err != nil || r.Groups < 4 || r.Groups > 6 || r.Bytes > 6<<20 {
		t.Errorf("%+v, %v", r, err)
	}
	expect(t, open(t, to.Bank(), "this"), "part/manifest", data[:4<<20])
	r, err = Streams(t.Context(), from, to, one("whole/manifest", "whole/manifest"), Options{})
	if err != nil || r.Bytes > 10<<20 {
		t.Errorf("the rest: %+v, %v", r, err)
	}
	expect(t, open(t, to.Bank(), "this"), "whole/manifest", data)
}

func TestAStreamIsWrittenAnewUnderAnotherKey(t *testing.T) {
	from, _ := newSource(t, "this")
	to, b := newSource(t, "that")
	if Same(from, to) {
		t.Fatal("domains with two keys are the same")
	}
	data := append(random(1, 3<<20), make([]byte, 9<<20)...)
	write(t, from, "a/manifest", data)
	for i := range 2 {
		var last Progress
		r, err := Streams(t.Context(), from, to, one("a/manifest", "a/manifest"), Options{Progress: func(p Progress) { last = p }})
		if err != nil || r.Undecoded || r.Present != i || last.Streams != 1 || last.OfStreams != 1 || last.Bytes != r.Bytes {
			t.Errorf("%+v, %+v, %v", r, last, err)
		}
	}
	expect(t, open(t, b, "that"), "a/manifest", data)
}

func TestAnotherStreamInThePlaceIsAConflict(t *testing.T) {
	from, b := newSource(t, "this")
	to := open(t, twin(t, b), "this")
	write(t, from, "a/manifest", random(1, 1<<20))
	write(t, to, "a/manifest", random(2, 1<<20))
	before := object(t, to.Bank(), "a/manifest")
	if _, err := Streams(t.Context(), from, to, one("a/manifest", "a/manifest"), Options{}); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("it gave %v", err)
	}
	if !bytes.Equal(before, object(t, to.Bank(), "a/manifest")) {
		t.Error("it was changed")
	}
}

func TestDamageOfTheSourceDoesNotTravel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		from, b := newSource(t, "this")
		data := random(1, 3<<20)
		write(t, from, "all/manifest", data)
		write(t, from, "part/manifest", data[:1<<20])
		stream := rapid.SampledFrom([]string{"all/manifest", "part/manifest"}).Draw(r, "stream")
		packs := slices.DeleteFunc(keys(t, b, ""), func(k string) bool { return !strings.Contains(k, "/packs/") && !strings.Contains(k, "/pages/") })
		pack := rapid.SampledFrom(packs).Draw(r, "pack")
		bad := slices.Clone(object(t, b, pack))
		bad[rapid.IntRange(0, len(bad)-1).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
		put(t, b, pack, bad)
		var target bank.Bank = twin(t, b)
		if rapid.Bool().Draw(r, "streams") {
			target = &streaming{Bank: target}
		}
		to := open(t, target, "this")
		_, err := Streams(t.Context(), from, to, one(stream, stream), Options{})
		if _, damaged := errors.AsType[*format.DamageError](err); err != nil && !damaged {
			r.Fatal(err)
		}
		after := open(t, to.Bank(), "this")
		if err == nil {
			expect(t, after, stream, data[:map[string]int{"all/manifest": 3 << 20, "part/manifest": 1 << 20}[stream]])
		} else if slices.Contains(keys(t, to.Bank(), ""), stream) {
			r.Fatal("a broken stream was published")
		}
		// Nothing that is damaged has got there under a name that says that it is whole.
		found, err := verification.Domain(t.Context(), after, "", verification.Options{Now: func() time.Time { return created }, Workers: 1})
		if err != nil || len(found.Damaged) > 0 {
			r.Fatalf("%+v, %v", found, err)
		}
	})
}

// Each operation of either bank fails once, with its effect and without it.
func TestACopyThatIsBrokenOffIsDoneByTheNext(t *testing.T) {
	for _, same := range []bool{true, false} {
		source, b := newSource(t, "this")
		data := random(1, 3<<20)
		write(t, source, "a/manifest", data)
		write(t, source, "b/manifest", data[1<<20:])
		streams := []Stream{{"b/manifest", "b/manifest"}, {"a/manifest", "a/manifest"}}
		for n, met := 1, true; met; n++ {
			met = false
			for _, where := range []string{"source", "target", "answer"} {
				target, master := bank.Bank(&streaming{Bank: twin(t, b)}), "this"
				if !same {
					_, target = newSource(t, "that")
					master = "that"
				}
				faultyFrom, faultyTo := banktest.NewFaulty(b), banktest.NewFaulty(target)
				from, to := open(t, faultyFrom, "this"), open(t, faultyTo, master)
				fault := banktest.Fault{Method: banktest.Any, Nth: n, Onward: true, Done: where == "answer"}
				if where == "source" {
					faultyFrom.Add(fault)
				} else {
					faultyTo.Add(fault)
				}
				_, err := Streams(t.Context(), from, to, streams, Options{})
				met = met || err != nil
				if err != nil && !errors.Is(err, banktest.ErrFault) {
					t.Fatalf("call %d of the %s: %v", n, where, err)
				}
				again := open(t, target, master)
				if _, err := Streams(t.Context(), open(t, b, "this"), again, streams, Options{}); err != nil {
					t.Fatalf("after call %d of the %s failed: %v", n, where, err)
				}
				expect(t, open(t, target, master), "a/manifest", data)
				expect(t, open(t, target, master), "b/manifest", data[1<<20:])
			}
		}
	}
}

func TestACopyHoldsASessionOfTheTarget(t *testing.T) {
	from, b := newSource(t, "this")
	data := random(1, 5<<20)
	write(t, from, "a/manifest", data)
	target := twin(t, b)
	s, err := session.Open(t.Context(), target, domainName, session.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	to, err := open(t, target, "this").In(t.Context(), verification.NewDistrust(s))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Streams(t.Context(), from, to, one("a/manifest", "a/manifest"), Options{}); err != nil || r.Packs != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	expect(t, open(t, target, "this"), "a/manifest", data)
}

func TestATwinIsMadeOnceAndOnlyOfTheSame(t *testing.T) {
	_, b := newSource(t, "this")
	to := twin(t, b)
	if is, err := Twin(t.Context(), b, to, domainName); err != nil || !is {
		t.Errorf("once more: %v, %v", is, err)
	}
	for _, key := range append(keys(t, b, dedup.SlotsPrefix(domainName)), dedup.DocumentKey(domainName)) {
		if !bytes.Equal(object(t, b, key), object(t, to, key)) {
			t.Errorf("%s is another", key)
		}
	}
	_, other := newSource(t, "that")
	before := keys(t, other, "")
	if is, err := Twin(t.Context(), b, other, domainName); err != nil || is {
		t.Errorf("of another domain: %v, %v", is, err)
	}
	if got := keys(t, other, ""); !slices.Equal(got, before) {
		t.Errorf("it has %v now", got)
	}
	if _, err := Twin(t.Context(), banktest.NewMemory(), other, domainName); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("of none: %v", err)
	}
	for _, key := range keys(t, b, dedup.SlotsPrefix(domainName)) {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	empty := banktest.NewMemory()
	if _, err := Twin(t.Context(), b, empty, domainName); karbor.KindOf(err) != karbor.Conflict || len(keys(t, empty, "")) > 0 {
		t.Errorf("of one without slots: %v", err)
	}
}
