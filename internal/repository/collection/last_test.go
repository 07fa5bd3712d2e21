package collection_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/internal/repository/collection"
)

func TestBankTellsItsNewestCollection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		last := func() collection.Last {
			t.Helper()
			l, err := collection.ReadLast(t.Context(), b, domain)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		if l := last(); l != (collection.Last{}) {
			t.Errorf("before the first: %+v", l)
		}
		time.Sleep(time.Hour)
		began := time.Now()
		c, err := collection.New(d, collection.Options{Times: times()})
		if err != nil {
			t.Fatal(err)
		}
		var during collection.Last
		if _, err := c.Collect(t.Context(), func(p collection.Progress) {
			if p.Phase == collection.Listing {
				time.Sleep(time.Minute)
				during = last()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if !during.Began.Equal(began) || during.Done || !during.Until.After(time.Now()) {
			t.Errorf("while it is at work: %+v", during)
		}
		if l := last(); !l.Began.Equal(began) || !l.Done || l.Told.Before(began.Add(time.Minute)) {
			t.Errorf("afterwards: %+v", l)
		}
	})
}

// TestThrottledCollectionTakesItsTime: it reads pages and groups no faster than it may.
func TestThrottledCollectionTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		for n := range 4 {
			write(t, d, manifestOf(domain, n+1), n)
		}
		remove(t, b, manifestOf(domain, 1))
		began := time.Now()
		if r, err := collect(t, d, collection.Options{BytesPerSecond: 2}); err != nil || r.Deleted != 2 || time.Since(began) < expire {
			t.Errorf("at two bytes a second it took %v: %+v, %v", time.Since(began), r, err)
		}
	})
}

func TestPacksThatAreLeftAsTheyAreYoungAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 1), 1)
		remove(t, b, manifestOf(domain, 1))
		r, err := collect(t, d, collection.Options{MinAge: time.Minute})
		if err != nil || r.Young != 2 || r.Condemned != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(2 * time.Minute)
		if r, err = collect(t, d, collection.Options{MinAge: time.Minute}); err != nil || r.Young != 0 || r.Deleted != 2 {
			t.Errorf("later: %+v, %v", r, err)
		}
	})
}
