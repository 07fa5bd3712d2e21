package swift_test

import (
	"testing"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/swift"
)

func TestSwiftIsABank(t *testing.T) {
	for name, prepare := range map[string]func(f *fakeSwift, o *swift.Options){
		"plain": func(*fakeSwift, *swift.Options) {},
		"odd": func(f *fakeSwift, o *swift.Options) {
			o.Prefix = "site/one"
			f.ignoresConditions, f.ignoresRanges = true, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			banktest.Run(t, func(t *testing.T) bank.Bank {
				f := newFake(t)
				return openBank(t, f.keystone.URL, "karbor", func(o *swift.Options) { prepare(f, o) })
			})
		})
	}
}
