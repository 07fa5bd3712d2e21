package wrap

import (
	"context"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// ReadOnly refuses every change of inner, with karbor.Unavailable.
func ReadOnly(inner bank.Bank) bank.Bank { return readOnly{inner} }

type readOnly struct{ bank.Bank }

func refusal(doing, key string) error {
	return karbor.Errorf(karbor.Unavailable, "%s %s: the bank is open for reading only", doing, key)
}

// Put implements bank.Bank.
func (r readOnly) Put(_ context.Context, key string, _ io.Reader, _ int64) error {
	return refusal("writing", key)
}

// Create implements bank.Bank.
func (r readOnly) Create(_ context.Context, key string, _ io.Reader, _ int64) error {
	return refusal("writing", key)
}

// Delete implements bank.Bank.
func (r readOnly) Delete(_ context.Context, key string) error { return refusal("removing", key) }

// Traits implements bank.Bank.
func (r readOnly) Traits() bank.Traits {
	t := r.Bank.Traits()
	t.ReadOnly, t.LockAhead = true, 0
	return t
}
