package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

func TestDamagedNewestEpochIsNamedAndMayPass(t *testing.T) {
	b := banktest.NewMemory()
	condemn(t, b, 1, set(one), set())
	if err := b.Create(t.Context(), session.EpochKey(domain, 2), strings.NewReader("{}"), 2); err != nil {
		t.Fatal(err)
	}
	_, err := session.Open(t.Context(), b, domain, options())
	damaged, ok := errors.AsType[*session.DamagedEpochError](err)
	if !ok || damaged.Number != 2 || len(damaged.Before) != 1 || !karbor.IsTransient(err) || !strings.Contains(err.Error(), session.EpochKey(domain, 2)) {
		t.Errorf("got %v", err)
	}
}

// TestWhatAnEarlierEpochCondemnedIsAbsentUntilTheIndexIsRead: the next epoch does not tell that it is
// gone, as it has taken the place of a damaged one.
func TestWhatAnEarlierEpochCondemnedIsAbsentUntilTheIndexIsRead(t *testing.T) {
	b := banktest.NewMemory()
	s := open(t, b, options())
	r := s.Begin()
	before, during := r.Generation(), true
	condemn(t, b, 1, set(one), set())
	if err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Attach(func(context.Context, bool) error {
		during = refer(r, one)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	condemn(t, b, 2, set(), set())
	if err := s.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if during || r.Refer(before, one, format.Data) || !refer(r, one) {
		t.Errorf("while the index is read, a stream may refer to it: %v; as looked up before; or not even afterwards", during)
	}
}
