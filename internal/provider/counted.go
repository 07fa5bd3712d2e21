package provider

import (
	"context"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/wrap"
)

// counted is a bank that adds up what it is asked.
type counted struct {
	bank.Bank
	tally *wrap.Tally
}

// Lock implements bank.Locker.
func (c *counted) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	return bank.Lock(ctx, c.Bank, key, until)
}

// LockedUntil implements bank.Locker.
func (c *counted) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	return bank.LockedUntil(ctx, c.Bank, key)
}

func count(b bank.Bank, now func() time.Time) bank.Bank {
	tally := &wrap.Tally{}
	return &counted{Bank: tally.Count(b, now), tally: tally}
}

// Asked gives what the bank was asked since Asked was called last, by method.
func (v *vault) Asked() []wrap.Figures {
	if c, ok := v.bank.(*counted); ok {
		return c.tally.Take()
	}
	return nil
}
