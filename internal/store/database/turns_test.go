package database

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/karbor/karbor"
)

func TestTransactionsOfOneNameTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		first, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, name := range []string{"second", "third"} {
			go func() {
				done, err := turns.take(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, name)
				done()
			}()
			synctest.Wait()
		}
		other, err := turns.take(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		other()
		if len(order) > 0 {
			t.Errorf("%v did not wait", order)
		}
		first()
		synctest.Wait()
		if !slices.Equal(order, []string{"second", "third"}) {
			t.Errorf("the order is %v", order)
		}
		if len(turns.of) > 0 {
			t.Errorf("%d turns are remembered that nobody wants", len(turns.of))
		}
	})
}

func TestWhoGoesAwayWaitsForNoTurn(t *testing.T) {
	var turns turns
	done, err := turns.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := turns.take(gone, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	done()
	if len(turns.of) > 0 {
		t.Errorf("%d turns are remembered that nobody wants", len(turns.of))
	}
}

func TestTurnThatDoesNotComeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		done, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		// Who has it waits for a server that hangs.
		if _, err := turns.take(t.Context(), "a"); karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) {
			t.Errorf("the error is %v", err)
		}
		done()
		again, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		again()
		if len(turns.of) > 0 {
			t.Errorf("%d turns are remembered that nobody wants", len(turns.of))
		}
	})
}
