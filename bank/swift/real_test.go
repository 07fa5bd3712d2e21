//go:build banks

package swift_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/wrap"
)

var containers atomic.Int64

func TestSwiftOnDebiansSwiftIsABank(t *testing.T) {
	keystone := startCluster(t).keystone()
	banktest.Run(t, func(t *testing.T) bank.Bank {
		b := openBank(t, keystone.URL, fmt.Sprintf("bank-%d", containers.Add(1)), nil)
		if traits := b.Traits(); traits.AtomicCreate || traits.ConsistentList {
			t.Fatalf("Swift is taken to have %+v", traits)
		}
		// As the plug-in opens it: a store may fail for a moment.
		retry := wrap.Defaults()
		return retry.Around(b)
	})
}
