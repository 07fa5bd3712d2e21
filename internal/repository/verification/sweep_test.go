package verification_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/session"
	"github.com/karbor/karbor/internal/repository/verification"
)

// swept makes a bank in which a collector was broken off after it had rewritten a pack, and before it
// had rewritten the index, which still tells of the pack that is gone.
func swept(t *testing.T) *banktest.Memory {
	t.Helper()
	b := banktest.NewMemory()
	verification.NewDomain(t, b)
	s, err := session.Open(t.Context(), b, verification.Project, session.Options{Now: time.Now, Expire: time.Minute, Margin: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	renewing, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(renewing, nil) }()
	d, err := verification.Reopen(t, b).In(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	// A first stream, most of which is not needed any more, and two that have a little of it.
	write := func(manifest int, seeds ...uint64) {
		t.Helper()
		w, err := d.Writer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, seed := range seeds {
			// A hole ends what is cut together.
			if _, err := w.Write(append(verification.Random(seed, 512<<10), make([]byte, 128<<10)...)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Commit(t.Context(), verification.ManifestOf(manifest, 1)); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	write(2, 1)
	write(3, 1, 2)
	if err := b.Delete(t.Context(), verification.ManifestOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	c, err := collection.New(d, collection.Options{Times: session.Options{Now: time.Now, Expire: time.Minute, Margin: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := c.Collect(ctx, func(p collection.Progress) {
		if p.Phase == collection.Indexing {
			cancel()
		}
	})
	cancel()
	if err == nil || r.Rewritten == 0 || r.Deleted == 0 || r.NewSegments != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	stop()
	if err := errors.Join(<-ended, s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPackThatWasRewrittenIsNotMissed: all that it held is somewhere else.
func TestPackThatWasRewrittenIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := swept(t)
		for _, depth := range []verification.Depth{verification.Quick, verification.Full} {
			r, err := verification.Domain(t.Context(), verification.Reopen(t, b), "", verification.Options{Depth: depth, Workers: 1, Now: time.Now})
			if err != nil || !r.Good() || r.Streams != 2 {
				t.Errorf("%s: %+v, %v", depth, r, err)
			}
		}
		// What is nowhere is missed.
		for key := range b.Snapshot() {
			if strings.Contains(key, "/packs/") {
				if err := b.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
		r, err := verification.Domain(t.Context(), verification.Reopen(t, b), "", verification.Options{Depth: verification.Quick, Workers: 1, Now: time.Now})
		if err != nil || len(r.Damaged) == 0 || len(r.Hurt) != 2 {
			t.Errorf("without any pack: %+v, %v", r, err)
		}
	})
}

// fleeting is a bank in which a stream is deleted as soon as its manifest was read a number of times.
type fleeting struct {
	*banktest.Memory
	key  string
	left int
}

func (f *fleeting) Stat(ctx context.Context, key string) (bank.Info, error) {
	if key == f.key && f.left <= 0 {
		return bank.Info{}, karbor.Errorf(karbor.NotFound, "it was deleted")
	}
	return f.Memory.Stat(ctx, key)
}

// TestDeletedStreamMissesNothing: it was there when its manifest was read, and led to packs that were
// gone by then.
func TestDeletedStreamMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		d := verification.NewDomain(t, b)
		if err := writeOne(t.Context(), d, 1); err != nil {
			t.Fatal(err)
		}
		var packs []string
		for key := range b.Snapshot() {
			if strings.Contains(key, "/packs/") || strings.Contains(key, "/pages/") {
				packs = append(packs, key)
			}
		}
		f := &fleeting{Memory: b, key: verification.ManifestOf(1, 1)}
		reopened := verification.Reopen(t, f)
		for _, key := range packs {
			if err := b.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		r, err := verification.Domain(t.Context(), reopened, "", verification.Options{Depth: verification.Quick, Workers: 1, Now: time.Now})
		if err != nil || !r.Good() {
			t.Errorf("%+v, %v", r, err)
		}
		f.left = 1 // it is there all the time
		r, err = verification.Domain(t.Context(), reopened, "", verification.Options{Depth: verification.Quick, Workers: 1, Now: time.Now})
		if err != nil || len(r.Hurt) != 1 || len(r.Damaged) == 0 {
			t.Errorf("a stream that is there: %+v, %v", r, err)
		}
	})
}
