package custody

import (
	"testing"

	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/provider"
)

func TestABankThatHangsHoldsUpTheCareOfItsOwnProviderOnly(t *testing.T) {
	var c caretakers
	turnOf := func(p *provider.Provider) chan struct{} {
		t.Helper()
		var turn chan struct{}
		_, err := c.add(p, func(given chan struct{}) (*upkeep.Keeper, error) {
			turn = given
			return nil, nil
		})
		if err != nil || cap(turn) != 1 {
			t.Fatalf("a turn for %d, %v", cap(turn), err)
		}
		return turn
	}
	// The first works, and does not come back.
	turnOf(&provider.Provider{ID: "hangs"}) <- struct{}{}
	select {
	case turnOf(&provider.Provider{ID: "works"}) <- struct{}{}:
	default:
		t.Error("another provider's bank waits")
	}
	select {
	case turnOf(&provider.Provider{ID: "hangs", Target: "offsite"}) <- struct{}{}:
		t.Error("two banks of one provider are looked after at a time")
	default:
	}
}
