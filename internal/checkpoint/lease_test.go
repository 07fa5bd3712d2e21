package checkpoint

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
)

func TestNothingIsPublishedWithoutEnoughLease(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	c.move(DefaultLeaseExpire - DefaultLeaseValidity)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
	c.move(time.Second)
	before := len(m.Snapshot())
	for what, err := range map[string]error{
		"create":    cs.Create(t.Context(), other(volumeID, 0)),
		"set state": cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}),
		"purge":     cs.Purge(t.Context(), project, cpID),
	} {
		if !karbor.IsTransient(err) {
			t.Errorf("%s: %v, want a transient error", what, err)
		}
	}
	if n := len(m.Snapshot()); n != before {
		t.Errorf("%d objects were written", n-before)
	}
	must(t, cs.Lease().Renew(t.Context()))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
}

func TestPublishingWithoutALeaseIsRefused(t *testing.T) {
	c := newClock()
	cs, err := Open(t.Context(), memory(c), Options{Owner: "a", Now: c.Now})
	must(t, err)
	if err := cs.Create(t.Context(), sample()); !karbor.IsTransient(err) {
		t.Errorf("%v, want a transient error", err)
	}
	reader, err := Open(t.Context(), memory(c), Options{Now: c.Now})
	must(t, err)
	if err := reader.Lease().Acquire(t.Context()); err == nil {
		t.Error("a reader gets a lease")
	}
}

func TestLeaseTimeIsTheBanks(t *testing.T) {
	local, bankClock := newClock(), newClock()
	bankClock.move(-1000 * time.Hour)
	m := memory(bankClock)
	cs := open(t, m, local, "a")
	must(t, cs.Create(t.Context(), sample()))
	got, err := cs.newest(t.Context(), project, cpID)
	must(t, err)
	if want := start.Add(-1000 * time.Hour); !got.UpdatedAt.Equal(want) {
		t.Errorf("updated at %v, want the bank's time %v", got.UpdatedAt, want)
	}
	// Another host whose clock is years off still sees the lease as it is.
	far := newClock()
	far.move(100_000 * time.Hour)
	b := open(t, m, far, "b")
	wantKind(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}), karbor.Conflict)
	bankClock.move(DefaultLeaseExpire + time.Second)
	must(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
}

func TestCheckpointOfALivingOwnerIsLeftAlone(t *testing.T) {
	c := newClock()
	m := memory(c)
	a, b := open(t, m, c, "a"), open(t, m, c, "b")
	must(t, a.Create(t.Context(), sample()))
	wantKind(t, b.Create(t.Context(), sample()), karbor.Conflict)
	wantKind(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointProtecting, Change{}), karbor.Conflict)
	wantKind(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}), karbor.Conflict)
	must(t, a.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
	// A finished one is anyone's.
	must(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	wantKind(t, a.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}), karbor.Conflict)
	wantKind(t, a.Purge(t.Context(), project, cpID), karbor.Conflict)
	must(t, b.Purge(t.Context(), project, cpID))
}

func TestOwnerThatWasTakenOverCannotPublish(t *testing.T) {
	c := newClock()
	m := memory(c)
	a := open(t, m, c, "a")
	must(t, a.Create(t.Context(), sample()))
	c.move(DefaultLeaseExpire + time.Second)
	b := open(t, m, c, "b")
	must(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointProtecting, Change{}))
	must(t, a.Lease().Renew(t.Context())) // it was only asleep
	wantKind(t, a.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}), karbor.Conflict)
	wantKind(t, a.Create(t.Context(), sample()), karbor.Conflict)
	must(t, b.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}))
}

func TestSecondProcessOfAnOwnerSupersedesTheFirst(t *testing.T) {
	c := newClock()
	m := memory(c)
	first := open(t, m, c, "a")
	must(t, first.Create(t.Context(), sample()))
	second := open(t, m, c, "a")
	must(t, second.Lease().Renew(t.Context()))
	must(t, second.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
	wantKind(t, first.Lease().Renew(t.Context()), karbor.Conflict)
	if err := first.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}); !karbor.IsTransient(err) {
		t.Errorf("the first still publishes: %v", err)
	}
	wantKind(t, first.Lease().Renew(t.Context()), karbor.Conflict)
	must(t, second.Lease().Renew(t.Context()))
}

func TestLeaseKeepsOneObjectAndLeavesNone(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	for range 5 {
		c.move(DefaultLeaseRenew)
		must(t, cs.Lease().Renew(t.Context()))
		if n := len(m.Snapshot()); n != 1 {
			t.Errorf("%d objects, want 1", n)
		}
	}
	for range 2 {
		must(t, cs.Lease().Release(t.Context()))
	}
	if n := len(m.Snapshot()); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestRenewalWhoseAnswerGotLostIsNoLoss(t *testing.T) {
	c := newClock()
	m := memory(c)
	f := banktest.NewFaulty(m)
	cs := open(t, f, c, "a")
	for _, method := range []banktest.Method{banktest.Create, banktest.List, banktest.Delete, banktest.Now} {
		for _, done := range []bool{false, true} {
			f.Add(banktest.Fault{Method: method, Nth: 1, Done: done})
			c.move(time.Second)
			if err := cs.Lease().Renew(t.Context()); err != nil && !errors.Is(err, banktest.ErrFault) {
				t.Errorf("%s: %v", method, err)
			}
			f.Heal()
			c.move(time.Second)
			must(t, cs.Lease().Renew(t.Context()))
		}
	}
	if n := len(m.Snapshot()); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

func TestRunRenewsUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := banktest.NewMemory()
		f := banktest.NewFaulty(m)
		cs, err := Open(t.Context(), f, Options{Owner: "a", Now: time.Now})
		must(t, err)
		must(t, cs.Lease().Acquire(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		failures := 0
		go func() { ended <- cs.Lease().Run(ctx, func(error) { failures++ }) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if left := cs.Lease().Left(); left < DefaultLeaseExpire-DefaultLeaseRenew {
			t.Errorf("after an hour the lease has %v left", left)
		}
		// The bank is away for six minutes, and hangs for some of them.
		f.Add(banktest.Fault{Method: banktest.Create})
		time.Sleep(3 * time.Minute)
		f.Heal()
		f.Add(banktest.Fault{Method: banktest.Now, Block: true})
		time.Sleep(3 * time.Minute)
		f.Heal()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if failures == 0 {
			t.Error("no failure was told")
		}
		must(t, cs.Lease().Valid())
		cancel()
		must(t, <-ended)
	})
}

func TestRunEndsWhenAnotherProcessTakesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := banktest.NewMemory()
		first, err := Open(t.Context(), m, Options{Owner: "a", Now: time.Now})
		must(t, err)
		must(t, first.Lease().Acquire(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- first.Lease().Run(t.Context(), nil) }()
		second, err := Open(t.Context(), m, Options{Owner: "a", Now: time.Now})
		must(t, err)
		must(t, second.Lease().Acquire(t.Context()))
		wantKind(t, <-ended, karbor.Conflict)
		if first.Lease().Valid() == nil {
			t.Error("the first still has its lease")
		}
	})
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	c := newClock()
	for name, o := range map[string]Options{
		"no clock":  {Owner: "a"},
		"owner":     {Owner: "a/b", Now: c.Now},
		"expire":    {Owner: "a", Now: c.Now, LeaseExpire: 200 * time.Second},
		"negative":  {Owner: "a", Now: c.Now, LeaseRenew: -1},
		"validity":  {Owner: "a", Now: c.Now, LeaseValidity: 500 * time.Second},
		"too short": {Owner: "a", Now: c.Now, LeaseExpire: time.Second},
		"too long":  {Owner: "a", Now: c.Now, LeaseExpire: 25 * time.Hour},
	} {
		if _, err := Open(t.Context(), memory(c), o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
