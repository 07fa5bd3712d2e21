package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/provider"
)

func TestLimitsOfAFileAreRead(t *testing.T) {
	memory := func() (bank.Bank, error) { return banktest.NewMemory(), nil }
	for text, want := range map[string]provider.Limits{
		"":                          {},
		"limits: {}\n":              {},
		"limits: {operations: 8}\n": {Operations: 8},
		"limits: {operations: 0, transfers: 2}\n": {Transfers: 2},
	} {
		providers, err := load(t, good+text, memory, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if got := providers[0].Limits(); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
		if err := providers[0].Close(); err != nil {
			t.Error(err)
		}
	}
	for text, want := range map[string]string{
		"limits: {operations: many}":    "line 5: limits.operations: \"many\" is no number from 0 on",
		"limits: {operations: -1}":      "line 5: limits.operations: ",
		"limits:\n  {transfers: 1.5}":   "line 6: limits.transfers: ",
		"limits: {bytes_per_second: 1}": "bytes_per_second",
	} {
		if _, err := load(t, good+text+"\n", memory, time.Now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
