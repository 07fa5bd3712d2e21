package collection_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/session"
)

// TestManySmallPacksAreJoinedOnce: sessions that store little leave them; what they are joined in is
// not joined again before there are many more.
func TestManySmallPacksAreJoinedOnce(t *testing.T) {
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
		const streams = 40
		content := func(n int) []byte {
			out := make([]byte, 5000)
			_, _ = rand.NewChaCha8([32]byte{byte(n), 7}).Read(out)
			return out
		}
		for n := range streams {
			w, err := d.Writer(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(content(n)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(t.Context(), manifestOf(domain, n+1)); err != nil {
				t.Fatal(err)
			}
		}
		r, err := collect(t, d, collection.Options{})
		if err != nil || r.Rewritten != 2*streams || r.Deleted != 2*streams || len(packs(b)) != 2 {
			t.Errorf("%+v, %v; %d packs", r, err, len(packs(b)))
		}
		if r, err = collect(t, d, collection.Options{}); err != nil || r.Rewritten != 0 {
			t.Errorf("again: %+v, %v", r, err)
		}
		fresh := open(t, b, nil)
		for n := range streams {
			r, err := fresh.Reader(t.Context(), manifestOf(domain, n+1), 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || r.Close() != nil || !bytes.Equal(got, content(n)) {
				t.Errorf("stream %d: %v", n, err)
			}
		}
		cancel()
		if err := errors.Join(<-ended, s.Close(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestFewSmallPacksAreLeftAlone(t *testing.T) {
	d, b := newDomain(t)
	for n := range 5 {
		write(t, d, manifestOf(domain, n+1), n)
	}
	before := len(packs(b))
	if r, err := collect(t, d, collection.Options{DryRun: true}); err != nil || r.Rewritten != 0 || len(packs(b)) != before {
		t.Errorf("%+v, %v", r, err)
	}
}
