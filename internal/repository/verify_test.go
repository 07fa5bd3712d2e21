package repository_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/verification"
)

// change flips a bit in the middle of each object whose key holds a text.
func change(t *testing.T, b bank.Bank, part string) (changed int) {
	t.Helper()
	infos, err := b.List(t.Context(), "", "", bank.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if !strings.Contains(i.Key, part) {
			continue
		}
		r, err := b.Get(t.Context(), i.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := b.Put(t.Context(), i.Key, bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
		changed++
	}
	return changed
}

func TestStreamsAreVerifiedAsDeepAsItIsSaid(t *testing.T) {
	for name, part := range map[string]string{"repository/1": "/packs/", "chunks/1": "/data/"} {
		b := banktest.NewMemory()
		var d *repository.Domains
		if name == "repository/1" {
			d = domains(t, repository.Options{Bank: b})
		}
		s := node(t, b, d, "1")
		store(t, s, "x", random(3_000_000, 1))
		look := func(depth verification.Depth) (last int64, err error) {
			err = s.Verifying(verification.Options{Depth: depth}).Verify(t.Context(), "x", func(done, _ int64) { last = done })
			return last, err
		}
		for _, depth := range []verification.Depth{verification.Quick, verification.Stored, verification.Full, ""} {
			last, err := look(depth)
			if err != nil || last != 3_000_000 && (name == "repository/1" || depth != verification.Quick) {
				t.Errorf("%s, %s: %d bytes, %v", name, depth, last, err)
			}
		}
		if name == "chunks/1" {
			part = "/00000001"
		}
		if change(t, b, part) == 0 {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := look(verification.Quick); err != nil {
			t.Errorf("%s: no byte is read, and %v", name, err)
		}
		for _, depth := range []verification.Depth{verification.Stored, verification.Full} {
			_, err := look(depth)
			if karbor.KindOf(err) != karbor.Internal || karbor.IsTransient(err) || !strings.Contains(karbor.Sentence(err), "the data x in the bank is damaged: ") {
				t.Errorf("%s, %s: %v", name, depth, err)
			}
		}
	}
}

func TestWhatTwoStreamsShareIsLookedAtOnce(t *testing.T) {
	b := banktest.NewMemory()
	d := domains(t, repository.Options{Bank: b})
	data := random(3_000_000, 1)
	state := verification.NewState()
	for _, checkpoint := range []string{"1", "2"} {
		store(t, node(t, b, d, checkpoint), "x", data)
	}
	faulty := banktest.NewFaulty(b)
	reading := domains(t, repository.Options{Bank: faulty, Keys: d.Sources()})
	read := func(checkpoint string) (whole int) {
		before := len(faulty.Calls())
		if err := node(t, faulty, reading, checkpoint).Verifying(verification.Options{State: state}).Verify(t.Context(), "x", nil); err != nil {
			t.Fatal(err)
		}
		for _, c := range faulty.Calls()[before:] {
			if c.Method == banktest.Get && strings.Contains(c.Key, "/packs/") {
				whole++
			}
		}
		return whole
	}
	if first, second := read("1"), read("2"); first != 2 || second != 1 {
		t.Errorf("the pack of both was read %d times for the first, and %d times for the second", first, second)
	}
}

func TestTheNextProtectMendsWhatAVerificationFound(t *testing.T) {
	b := banktest.NewMemory()
	d := domains(t, repository.Options{Bank: b})
	data := random(3_000_000, 1)
	first := node(t, b, d, "1")
	store(t, first, "x", data)
	change(t, b, "/packs/")
	if err := first.Verify(t.Context(), "x", nil); err == nil {
		t.Fatal("it was not found")
	}
	// In this process, and in one that knows of it by the bank only.
	store(t, node(t, b, d, "2"), "x", data)
	for i, streams := range []*repository.Streams{first, node(t, b, domains(t, repository.Options{Bank: b, Keys: d.Sources()}), "1")} {
		if got, err := load(t, streams, "x"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("reader %d: the older checkpoint can't be read: %v", i, err)
		}
		if err := streams.Verify(t.Context(), "x", nil); err != nil {
			t.Errorf("reader %d: %v", i, err)
		}
	}
}

func TestTheNamesOfStreamsAreThoseThatAreComplete(t *testing.T) {
	b := banktest.NewMemory()
	s := node(t, b, domains(t, repository.Options{Bank: b}), "1")
	plain := node(t, b, nil, "1")
	store(t, s, "b", random(10, 1))
	store(t, plain, "a", random(10, 1))
	w, err := plain.Create(t.Context(), "unfinished")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(random(10, 1)); err != nil {
		t.Fatal(err)
	}
	names, err := s.Names(t.Context())
	if d := cmp.Diff([]string{"a", "b"}, names); d != "" || err != nil {
		t.Error(d, err)
	}
	if err := w.Abort(t.Context()); err != nil {
		t.Error(err)
	}
}
