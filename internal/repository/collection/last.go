package collection

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/session"
)

// Last is what a domain tells of its newest collection, to who has no key.
type Last struct {
	// Began is when it began, and Told when its collector last told that it was at work or had
	// ended, by the bank's clock; zero if there was none, or that can't be known.
	Began, Told time.Time
	// Done says that it has come to its end.
	Done bool
	// Until is until when its collector holds the lease: it is at work, or has died, if it is
	// not Done and that is to come.
	Until time.Time
}

// ReadLast looks for the newest collection of a domain. It costs a listing and three calls.
func ReadLast(ctx context.Context, b bank.Bank, domain string) (Last, error) {
	l := newLease(b, domain, session.Options{})
	newest, _, err := l.newest(ctx)
	if err != nil || newest == 0 {
		return Last{}, wrapLast(domain, err)
	}
	r, err := l.read(ctx, newest)
	if err != nil {
		return Last{}, wrapLast(domain, err)
	}
	return Last{Began: r.BeganAt, Told: r.RenewedAt, Done: r.Done, Until: r.ExpiresAt}, nil
}

func wrapLast(domain string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("looking for the last collection in %s: %w", domain, err)
}
