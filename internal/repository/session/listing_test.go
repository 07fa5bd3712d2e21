package session_test

import (
	"context"
	"errors"
	"io"
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

// stuck is a bank that gives no answer once a number of records was made.
type stuck struct {
	bank.Bank
	records int
}

func (b *stuck) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	if b.records == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	b.records--
	return b.Bank.Create(ctx, key, r, size)
}

func (b *stuck) Delete(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestOpeningEndsWhereTheBankStopsAnswering(t *testing.T) {
	for records := range 2 {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, err := session.Open(t.Context(), &stuck{Bank: banktest.NewMemory(), records: records}, domain, options())
			if problem, ok := errors.AsType[*karbor.Error](err); !ok || !problem.Transient {
				t.Errorf("after %d records, the error is %v, and not one that passes", records, err)
			}
			if took := time.Since(began); took > 2*expire+margin {
				t.Errorf("after %d records, it took %v", records, took)
			}
		})
	}
}

// slow is a bank that takes a while to say that it has a record.
type slow struct {
	bank.Bank
	takes time.Duration
}

func (b slow) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	err := b.Bank.Create(ctx, key, body, size)
	time.Sleep(b.takes)
	return err
}

func TestOpeningThatTookTooLongLeavesNothingWhereListingsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, o := banktest.NewMemory(), options()
		o.Settle = 30 * time.Second
		_, err := session.Open(t.Context(), slow{b, expire/2 + time.Second}, domain, o)
		if !karbor.IsTransient(err) {
			t.Errorf("the error is %v, and not one that passes", err)
		}
		if left := b.Snapshot(); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	})
}
