package copying

import (
	"io"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
)

func TestAConnectionThatBreaksMakesNoShortCopy(t *testing.T) {
	source, m := newSource(t, "one")
	data := random(1, 12<<20)
	const name = "v1/checkpoints/a/manifest"
	write(t, source, name, data)
	broken := karbor.Transientf("the bank does not answer now")
	broken.Cause = io.EOF
	for nth := 1; nth <= 4; nth++ {
		f := banktest.NewFaulty(m)
		from := open(t, f, "one")
		to, err := dedup.Create(t.Context(), banktest.NewMemory(), domainName, key("two"), created.Add(time.Hour), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		f.Add(banktest.Fault{Method: banktest.Get, Nth: nth, Onward: true, Err: broken})
		if _, err := Streams(t.Context(), from, to, one(name, name), Options{}); !karbor.IsTransient(err) {
			t.Errorf("the read %d breaks: %v", nth, err)
		}
		if _, err := to.Root(t.Context(), name); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("the read %d breaks: there is a copy, %v", nth, err)
		}
	}
}
