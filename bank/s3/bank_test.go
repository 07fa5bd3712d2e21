package s3_test

import (
	"testing"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/s3"
)

func TestS3IsABank(t *testing.T) {
	for name, prepare := range map[string]func(f *fake, o *s3.Options){
		"plain":    func(*fake, *s3.Options) {},
		"versions": func(f *fake, _ *s3.Options) { f.versioned, f.lockRule = true, "on" },
		"odd": func(f *fake, o *s3.Options) {
			f.versioned, f.ordersByFolder, f.ignoresRanges, f.ignoresConditions, o.Prefix = true, true, true, true, "site/one"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			banktest.Run(t, func(t *testing.T) bank.Bank {
				f := newFake(t)
				return openBank(t, f.URL, fakeBucket, func(o *s3.Options) { prepare(f, o) })
			})
		})
	}
}
