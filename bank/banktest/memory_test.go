package banktest_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

func TestMemoryIsABank(t *testing.T) {
	banktest.Run(t, func(*testing.T) bank.Bank { return banktest.NewMemory() })
}

func TestFaultyWithoutFaultsIsABank(t *testing.T) {
	banktest.Run(t, func(*testing.T) bank.Bank { return banktest.NewFaulty(banktest.NewMemory()) })
}

func TestMemoryThatLocksIsABank(t *testing.T) {
	banktest.Run(t, func(*testing.T) bank.Bank {
		b := banktest.NewMemory()
		b.SetLocks(time.Hour)
		return banktest.NewFaulty(b)
	})
}
