package verification

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestARunGoesOnWhereOneWasBrokenOff(t *testing.T) {
	s := newSmall(t)
	d := reopen(t, s.bank)
	all := domain(t, d, options(Full)).Packs
	o := options(Full)
	o.State = NewState()
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Packs == 2 {
			cancel()
		}
	}
	if _, err := Domain(ctx, d, project, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	kept, err := o.State.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	o.State, o.Progress = NewState(), nil
	if err := o.State.UnmarshalBinary(kept); err != nil {
		t.Fatal(err)
	}
	r := domain(t, d, o)
	if r.Known != 2 || r.Packs != all-2 || !r.Good() {
		t.Errorf("of %d packs: %+v", all, r)
	}
	again, err := o.State.MarshalBinary()
	if err != nil || len(again) <= len(kept) {
		t.Errorf("the state did not grow: %v", err)
	}
}

func TestWhatWasFoundGoodLongAgoIsLookedAtAgain(t *testing.T) {
	s := newSmall(t)
	d := reopen(t, s.bank)
	o := options(Stored)
	o.State = NewState()
	domain(t, d, o)
	later := created.Add(24 * time.Hour)
	for name, test := range map[string]struct {
		depth Depth
		since time.Time
		again bool
	}{
		"as deep and new enough": {Stored, created, false},
		"less deep":              {Quick, time.Time{}, false},
		"deeper":                 {Full, time.Time{}, true},
		"too long ago":           {Stored, later, true},
	} {
		x := NewState()
		b, _ := o.State.MarshalBinary()
		if err := x.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		r := domain(t, d, Options{Depth: test.depth, Since: test.since, State: x, Workers: 1, Now: func() time.Time { return later }})
		if (r.Packs > 0) != test.again || (r.Known > 0) == test.again {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAPackThatWasGoodAndIsGoneIsNotPassedOver(t *testing.T) {
	s := newSmall(t)
	d := reopen(t, s.bank)
	o := options(Full)
	o.State = NewState()
	domain(t, d, o)
	key := keys(t, s.bank, dedup.PacksPrefix(project, format.Data))[0]
	if err := s.bank.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	r := domain(t, d, o)
	if len(r.Damaged) != 1 || !r.Damaged[0].Missing || len(r.Hurt) == 0 {
		t.Errorf("%+v", r)
	}
	// And it is not good any more for who asks next.
	if name, _ := dedup.ParsePackKey(project, format.Data, key); o.State.Good(format.Data, name, Quick, time.Time{}) {
		t.Error("the state still has it")
	}
}

func TestAShareOfABankIsVerifiedAtATime(t *testing.T) {
	s := newSmall(t)
	d := reopen(t, s.bank)
	all := domain(t, d, options(Full)).Packs
	now := created
	o := options(Full)
	o.State, o.Now = NewState(), func() time.Time { return now }
	o.Progress = func(Progress) { now = now.Add(time.Minute) }
	for day, left := 0, all; left > 0; day++ {
		o.Until = now.Add(time.Minute)
		r := domain(t, d, o)
		// Those that are known pass the time, too: they are quick, but not nothing.
		if day > 2*all || !r.Good() {
			t.Fatalf("day %d: %+v", day, r)
		}
		left = r.Left
		now = now.Add(24 * time.Hour)
		o.Progress = nil
	}
	if o.State.Len() != all {
		t.Errorf("%d of %d packs were looked at", o.State.Len(), all)
	}
}

func TestAStateThatWasChangedIsRefused(t *testing.T) {
	s := NewState()
	s.found(packID{format.Data, format.Name{1}}, Full, created)
	s.found(packID{format.Pages, format.Name{2}}, Stored, created)
	good, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		for _, b := range [][]byte{bad, good[:i]} {
			if err := NewState().UnmarshalBinary(b); karbor.KindOf(err) != karbor.Invalid {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
}

func TestAThrottledRunTakesItsTime(t *testing.T) {
	b := banktest.NewMemory()
	d := newDomain(t, b)
	write(t, d, manifestOf(1, 1), random(1, 4<<20))
	for _, depth := range []Depth{Stored, Full} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{Depth: depth, Workers: 2, Now: time.Now, BytesPerSecond: 1 << 20}
			began := time.Now()
			r, err := Domain(t.Context(), d, project, o)
			if err != nil || !r.Good() {
				t.Fatalf("%+v, %v", r, err)
			}
			if took := time.Since(began); took < 3500*time.Millisecond || took > 6*time.Second {
				t.Errorf("%s: 4 MiB at 1 MiB a second took %v", depth, took)
			}
		})
	}
}

func TestWordsThatAreNoDepthAreRefused(t *testing.T) {
	for _, bad := range []string{"Full", "deep", " quick"} {
		if _, err := ParseDepth(bad); karbor.KindOf(err) != karbor.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if d, err := ParseDepth(""); d != Full || err != nil {
		t.Errorf("nothing said is %q, %v", d, err)
	}
	if _, err := Streams(t.Context(), newDomain(t, banktest.NewMemory()), nil, Options{Depth: "deep", Now: time.Now}); karbor.KindOf(err) != karbor.Invalid {
		t.Error(err)
	}
}
