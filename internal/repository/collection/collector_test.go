package collection_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

func times() session.Options { return session.Options{Now: time.Now, Expire: expire, Margin: margin} }

// newDomain makes a domain in a bank in memory, without a session.
func newDomain(t *testing.T) (*dedup.Domain, *banktest.Memory) {
	t.Helper()
	b := banktest.NewMemory()
	d, err := dedup.Create(t.Context(), b, domain, master(), time.Now(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	return d, b
}

func open(t *testing.T, b bank.Bank, s dedup.Session) *dedup.Domain {
	t.Helper()
	d, err := dedup.Open(t.Context(), b, domain, master(), dedup.Options{Workers: 1, Index: dedup.NewMemory(), Session: s})
	if err == nil {
		_, err = d.LoadIndex(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// manifestOf gives the key of a checkpoint's stream.
func manifestOf(project string, n int) string {
	return fmt.Sprintf("v1/checkpoints/%s/00000000-0000-0000-0000-%012d/nodes/volume/v/data/disk/manifest", project, n)
}

func write(t *testing.T, d *dedup.Domain, key string, of ...int) {
	t.Helper()
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range of {
		if _, err := w.Write(item(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func reads(t *testing.T, d *dedup.Domain, key string, of ...int) error {
	t.Helper()
	return (&world{}).check(t.Context(), d, key, of)
}

func collect(t *testing.T, d *dedup.Domain, o collection.Options) (collection.Result, error) {
	t.Helper()
	o.Times = times()
	c, err := collection.New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Collect(t.Context(), nil)
}

func remove(t *testing.T, b bank.Bank, key string) {
	t.Helper()
	if err := b.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// packs gives the keys of all packs.
func packs(b *banktest.Memory) (keys []string) {
	for key := range b.Snapshot() {
		if strings.Contains(key, "/packs/") || strings.Contains(key, "/pages/") {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestWhatNothingRefersToGoes(t *testing.T) {
	d, b := newDomain(t)
	write(t, d, manifestOf(domain, 1), 1, 2)
	write(t, d, manifestOf(domain, 2), 3, 4)
	remove(t, b, manifestOf(domain, 1))
	dry, err := collect(t, d, collection.Options{DryRun: true})
	if err != nil || dry.Condemned != 2 || len(packs(b)) != 4 {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	r, err := collect(t, d, collection.Options{})
	if err != nil || r.Deleted != 2 || r.Freed != dry.Freed || r.Freed < 2*itemSize || r.Streams != 1 || r.KeptPacks != 0 || len(packs(b)) != 2 {
		t.Errorf("%+v, %v, %d packs are left", r, err, len(packs(b)))
	}
	if err := reads(t, open(t, b, nil), manifestOf(domain, 2), 3, 4); err != nil {
		t.Error(err)
	}
	if r, err = collect(t, d, collection.Options{}); err != nil || r.Condemned != 0 || r.Epoch != 1 {
		t.Errorf("again: %+v, %v", r, err)
	}
	// What was deleted is stored again.
	write(t, d, manifestOf(domain, 3), 1, 2)
	if err := reads(t, open(t, b, nil), manifestOf(domain, 3), 1, 2); err != nil {
		t.Error(err)
	}
}

func TestEpochsAndSegmentsDoNotPileUp(t *testing.T) {
	d, b := newDomain(t)
	for i := range 24 {
		write(t, d, manifestOf(domain, i), i%universe, (i+1)%universe)
		remove(t, b, manifestOf(domain, i))
		if _, err := collect(t, d, collection.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	count := map[string]int{}
	for key := range b.Snapshot() {
		count[strings.Split(key, "/")[3]]++
	}
	delete(count, "collectors") // as many as there were within a settling time
	if diff := cmp.Diff(map[string]int{"format": 1, "epochs": 2}, count); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCantBeReadStopsTheCollection(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, b *banktest.Memory){
		"manifest is no JSON": func(t *testing.T, b *banktest.Memory) { put(t, b, manifestOf(domain, 2), "no") },
		"manifest is of another key": func(t *testing.T, b *banktest.Memory) {
			put(t, b, manifestOf(domain, 2), b.Snapshot()[manifestOf(domain, 1)])
		},
		"manifest of a format to come": func(t *testing.T, b *banktest.Memory) { put(t, b, manifestOf(domain, 2), `{"format":"repository/2"}`) },
		"page is damaged": func(t *testing.T, b *banktest.Memory) {
			for key, text := range b.Snapshot() {
				if strings.Contains(key, "/pages/") {
					put(t, b, key, text[:40]+"x"+text[41:])
				}
			}
		},
		"chunk is nowhere": func(t *testing.T, b *banktest.Memory) {
			for key := range b.Snapshot() {
				if strings.Contains(key, "/packs/") {
					remove(t, b, key)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, b := newDomain(t)
			write(t, d, manifestOf(domain, 1), 1, 2)
			write(t, d, manifestOf(domain, 2), 3, 4)
			harm(t, b)
			write(t, d, manifestOf(domain, 3), 5, 6)
			remove(t, b, manifestOf(domain, 3))
			before := len(packs(b))
			r, err := collect(t, open(t, b, nil), collection.Options{})
			stopped, ok := errors.AsType[*collection.DamageError](err)
			if !ok || len(packs(b)) != before || len(r.Damaged) != len(stopped.Damaged) {
				t.Fatalf("%+v, %v, %d of %d packs are left", r, err, len(packs(b)), before)
			}
			force := make([]string, len(stopped.Damaged))
			for i, d := range stopped.Damaged {
				force[i] = d.Manifest
			}
			if r, err = collect(t, open(t, b, nil), collection.Options{Force: force}); err != nil || r.Deleted < 2 || len(r.Damaged) == 0 {
				t.Errorf("forced: %+v, %v", r, err)
			}
		})
	}
}

func put(t *testing.T, b bank.Bank, key, text string) {
	t.Helper()
	if err := b.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
}

func TestStreamsOfAllProjectsAreLookedAt(t *testing.T) {
	d, b := newDomain(t)
	write(t, d, manifestOf("tenant-1", 1), 1, 2)
	write(t, d, manifestOf("tenant-2", 2), 2, 3)
	if r, err := collect(t, d, collection.Options{}); err != nil || r.Streams != 2 || r.Condemned != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	put(t, b, manifestOf("tenant-2", 3), `{"format":"chunks/1"}`)
	put(t, b, dedup.DocumentKey("other"), "{}")
	put(t, b, manifestOf("tenant-2", 4), `{"format":"repository/1","domain":"other"}`)
	put(t, b, "v1/checkpoints/tenant-2/x/nodes/volume/v/documents/data/disk/manifest", "no manifest")
	if r, err := collect(t, d, collection.Options{}); err != nil || r.Streams != 2 || r.Condemned != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOneCollectorAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 1), 1)
		remove(t, b, manifestOf(domain, 1))
		key := "v1/repositories/" + domain + "/collectors/00000001"
		put(t, b, key, string(format.AddDigest(key, fmt.Appendf(nil, `{"format":"repository/1","collector":"x","sequence":1,"renewed_at":%q,"expires_at":%q}`,
			time.Now().UTC().Format(time.RFC3339), time.Now().Add(expire).UTC().Format(time.RFC3339)))))
		if _, err := collect(t, d, collection.Options{}); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("beside another one: %v", err)
		}
		time.Sleep(expire)
		if r, err := collect(t, d, collection.Options{}); err != nil || r.Deleted != 2 {
			t.Errorf("when the other one is dead: %+v, %v", r, err)
		}
	})
}

func TestBankWhereTwoCreatesWinNeedsANamedCollector(t *testing.T) {
	_, b := newDomain(t)
	d := open(t, twins{b}, nil)
	if _, err := collect(t, d, collection.Options{}); karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("got %v", err)
	}
	if _, err := collect(t, d, collection.Options{Only: true}); err != nil {
		t.Error(err)
	}
}

type twins struct{ *banktest.Memory }

func (twins) Traits() bank.Traits { return bank.Traits{ConsistentList: true} }

func TestPackOfWhichLittleIsReachedIsRewritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := newDomain(t)
		s, err := session.Open(t.Context(), b, domain, times())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx, nil) }()
		d := open(t, b, nil)
		if d, err = d.In(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		write(t, d, manifestOf(domain, 1), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
		write(t, d, manifestOf(domain, 2), 0, 1)
		remove(t, b, manifestOf(domain, 1))
		stale := open(t, b, nil)
		r, err := d.Reader(t.Context(), manifestOf(domain, 2), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		got, err := collect(t, d, collection.Options{})
		if err != nil || got.Rewritten != 1 || got.Freed < 9*itemSize || got.Written > 4*itemSize {
			t.Errorf("%+v, %v", got, err)
		}
		for name, d := range map[string]*dedup.Domain{"the same": d, "a fresh": open(t, b, nil), "an old": stale} {
			if err := reads(t, d, manifestOf(domain, 2), 0, 1); err != nil {
				t.Errorf("%s index: %v", name, err)
			}
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Equal(text, append(append([]byte{}, item(0)...), item(1)...)) {
			t.Errorf("a reader that had begun: %d bytes, %v", len(text), err)
		}
		cancel()
		if err := errors.Join(<-ended, s.Close(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestSegmentsThatAreLostAreNotNeeded(t *testing.T) {
	d, b := newDomain(t)
	write(t, d, manifestOf(domain, 1), 1, 2)
	for key := range b.Snapshot() {
		if strings.HasPrefix(key, dedup.SegmentsPrefix(domain)) {
			remove(t, b, key)
		}
	}
	fresh := open(t, b, nil)
	if r, err := collect(t, fresh, collection.Options{}); err != nil || r.Condemned != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := reads(t, open(t, b, nil), manifestOf(domain, 1), 1, 2); err != nil {
		t.Error(err)
	}
	if _, err := fresh.Directory(t.Context(), format.Data, format.Name{1}, 1000); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("got %v", err)
	}
}
