package provider

import (
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/wrap"
)

// counted is a bank that adds up what it is asked.
type counted struct {
	bank.Bank
	tally *wrap.Tally
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
