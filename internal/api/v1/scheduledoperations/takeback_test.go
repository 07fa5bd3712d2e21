package scheduledoperations

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// lender counts what it gets back.
type lender struct{ returned int }

func (*lender) Lend(context.Context, *karbor.Identity, string, string) (store.Lent, error) {
	return store.Lent{}, nil
}

func (l *lender) ReturnLent(context.Context, string, []byte) error {
	l.returned++
	return nil
}

func TestADelegationIsTakenBackOnlyFromWhatWasSurelyNotKept(t *testing.T) {
	uncertain := &karbor.Error{Kind: karbor.Unavailable, Message: "lost", Transient: true, Cause: errors.Join(store.ErrUncertain, io.EOF)}
	for name, test := range map[string]struct {
		lent *store.Lent
		why  error
		want int
	}{
		"refused":                {&store.Lent{}, karbor.Errorf(karbor.NotFound, "no plan"), 1},
		"the database is away":   {&store.Lent{}, karbor.Transientf("busy"), 1},
		"the outcome is unknown": {&store.Lent{}, uncertain, 0},
		"nothing was lent":       {nil, karbor.Errorf(karbor.NotFound, "no plan"), 0},
	} {
		l := &lender{}
		err := Deps{Delegations: l}.takeBack(t.Context(), "one", test.lent, test.why)
		if l.returned != test.want || !errors.Is(err, test.why) {
			t.Errorf("%s: given back %d times, with %v", name, l.returned, err)
		}
	}
}
