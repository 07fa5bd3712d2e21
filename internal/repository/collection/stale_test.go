package collection_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/collection"
)

// standing is a bank whose first answer about the time does not reach its process before others have been at work.
type standing struct {
	bank.Bank
	once      sync.Once
	meanwhile func()
}

func (s *standing) Now(ctx context.Context) (time.Time, error) {
	now, err := s.Bank.Now(ctx)
	s.once.Do(s.meanwhile)
	return now, err
}

// TestCollectorThatStoodStillDoesNotTakeTheLeaseOfAnother has a collector look who is at work, and stand
// still. Others collect, so that the number which it has found is used and removed; the last of
// them is at work when it goes on.
func TestCollectorThatStoodStillDoesNotTakeTheLeaseOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		if _, err := collect(t, d, collection.Options{}); err != nil {
			t.Fatal(err)
		}
		write(t, d, manifestOf(domain, 1), 1, 2)
		if err := b.Delete(t.Context(), manifestOf(domain, 1)); err != nil { // what others collect
			t.Fatal(err)
		}
		var others, working sync.WaitGroup
		working.Add(1)
		slow := &standing{Bank: b, meanwhile: func() {
			for range 2 {
				time.Sleep(expire)
				if _, err := collect(t, open(t, b, nil), collection.Options{}); err != nil {
					t.Error("another collector:", err)
				}
			}
			write(t, open(t, b, nil), manifestOf(domain, 2), 3)
			if err := b.Delete(t.Context(), manifestOf(domain, 2)); err != nil {
				t.Error(err)
			}
			c, err := collection.New(open(t, b, nil), collection.Options{Times: times()})
			if err != nil {
				t.Error(err)
				return
			}
			begun := make(chan struct{})
			others.Go(func() {
				defer working.Done()
				_, err := c.Collect(context.WithoutCancel(t.Context()), func(p collection.Progress) {
					if p.Phase == collection.Listing {
						close(begun)
						time.Sleep(expire / 4)
					}
				})
				if err != nil {
					t.Error("the collector that has the lease:", err)
				}
			})
			<-begun
		}}
		_, err := collect(t, open(t, slow, nil), collection.Options{})
		if karbor.KindOf(err) != karbor.Conflict || !strings.Contains(err.Error(), "another collector") {
			t.Errorf("the collector that stood still says %v", err)
		}
		others.Wait()
		working.Wait()
		if _, err := collect(t, open(t, b, nil), collection.Options{}); err != nil {
			t.Error("later:", err)
		}
	})
}
