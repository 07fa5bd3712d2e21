package checkpoint

import (
	"context"
	"io"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// before is a bank in which something happens just before an object is created.
type before struct {
	bank.Bank
	key string
	do  func()
}

func (b *before) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if do := b.do; key == b.key && do != nil {
		b.do = nil
		do()
	}
	return b.Bank.Create(ctx, key, body, size)
}

// A process that was taken for gone comes back just when another discards what it made: a
// checkpoint is never available with its bytes removed, whoever of the two is first.
func TestWhatIsDiscardedIsNeverAvailableWhoeverIsFirst(t *testing.T) {
	for _, makerFirst := range []bool{false, true} {
		c := newClock()
		m := memory(c)
		makers, discarders := &before{Bank: m, key: stateKey(project, cpID, 2)}, &before{Bank: m, key: stateKey(project, cpID, 2)}
		maker, discarder := open(t, makers, c, "a"), open(t, discarders, c, "b")
		must(t, maker.Create(t.Context(), sample()))
		must(t, addNodes(t.Context(), maker, cpID))
		var published, discarded error
		publish := func() {
			published = maker.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{})
		}
		discard := func() { discarded = discarder.Discard(TakingOver(t.Context()), project, cpID) }
		if makerFirst {
			discarders.do = publish
			discard()
		} else {
			makers.do = discard
			publish()
		}
		cp, err := maker.Get(t.Context(), project, cpID)
		must(t, err)
		switch available, empty := cp.Status == karbor.CheckpointAvailable, nodes(m) == nil; {
		case available && empty:
			t.Errorf("maker first %v: it is available, and its bytes are gone", makerFirst)
		case (published == nil) != available || (discarded == nil) != empty || available == empty:
			t.Errorf("maker first %v: %s, empty %v; publishing gave %v, discarding %v", makerFirst, cp.Status, empty, published, discarded)
		}
	}
}

func TestWhatWasDiscardedWhileItWasMadeDoesNotBecomeAvailable(t *testing.T) {
	c := newClock()
	m := memory(c)
	maker := open(t, m, c, "a")
	must(t, maker.Create(t.Context(), sample()))
	must(t, addNodes(t.Context(), maker, cpID))
	must(t, maker.Discard(t.Context(), project, cpID))
	wantKind(t, maker.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}), karbor.Conflict)
	wantKind(t, maker.CreateAvailable(t.Context(), sample(), Change{}), karbor.Conflict)
	must(t, maker.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{Size: 3}))
}
