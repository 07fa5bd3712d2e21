package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/session"
)

// TestListingsThatLagShowEachLiveSession looks each second whether there is a record that listings
// show for sure: whoever collects waits only for the sessions that they show.
func TestListingsThatLagShowEachLiveSession(t *testing.T) {
	const settle = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		b, o := banktest.NewMemory(), options()
		o.Settle = settle
		s := open(t, b, o)
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, nil) }()
		most := 0
		time.Sleep(settle + time.Second)
		for range 600 {
			time.Sleep(time.Second)
			records, err := b.List(t.Context(), "v1/repositories/"+domain+"/sessions/", "", bank.MaxList)
			if err != nil {
				t.Fatal(err)
			}
			shown := slices.ContainsFunc(records, func(i bank.Info) bool { return time.Since(i.ModTime) >= settle })
			if most = max(most, len(records)); !shown {
				t.Fatalf("none of the %d records is older than the settling time", len(records))
			}
		}
		if most > 7 { // those of the settling time and the margin
			t.Errorf("there were %d records at once", most)
		}
		end()
		if err := <-ended; err != nil {
			t.Errorf("the session's renewals ended: %v", err)
		}
		if err := s.Close(t.Context()); err != nil || len(b.Snapshot()) > 0 {
			t.Errorf("after its end: %v, %v", b.Snapshot(), err)
		}
	})
}

// silent is a bank that gives no answer to a listing.
type silent struct{ bank.Bank }

func (silent) List(ctx context.Context, _, _ string, _ int) ([]bank.Info, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestOpeningEndsWhereTheBankGivesNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := session.Open(t.Context(), silent{banktest.NewMemory()}, domain, options())
		if problem, ok := errors.AsType[*karbor.Error](err); !ok || !problem.Transient || karbor.KindOf(err) != karbor.Unavailable {
			t.Errorf("the error is %v, and not one that passes", err)
		}
	})
}
