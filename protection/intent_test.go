package protection_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// record is a scratch record in memory.
type record struct{ text []byte }

func (r *record) Load(_ context.Context, v any) error {
	if r.text == nil {
		return nil
	}
	return json.Unmarshal(r.text, v)
}

func (r *record) Save(_ context.Context, v any) (err error) {
	r.text, err = json.Marshal(v)
	return err
}

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

const settle = 30 * time.Second

func TestIntentsOutliveTheProcessAndWhatHooksSave(t *testing.T) {
	ctx, kept, time := t.Context(), &record{}, &clock{at: time.Unix(1000, 0)}
	intents := protection.NewIntents(kept, time.now, settle)
	type own struct{ Volume string }
	if err := intents.Scratch().Save(ctx, own{"early"}); err != nil {
		t.Fatal(err)
	}
	if err := intents.Begin(ctx, "snapshot"); err != nil {
		t.Fatal(err)
	}
	if err := intents.Scratch().Save(ctx, own{"late"}); err != nil {
		t.Fatal(err)
	}
	time.at = time.at.Add(10 * 1e9)
	next := protection.NewIntents(kept, time.now, settle)
	if left, err := next.Unsettled(ctx, "snapshot"); err != nil || left != 20*1e9 {
		t.Errorf("there are %v left, %v; want 20s", left, err)
	}
	var got own
	if err := next.Scratch().Load(ctx, &got); err != nil || got.Volume != "late" {
		t.Errorf("the hook's record is %+v, %v", got, err)
	}
	if err := next.Answered(ctx, "snapshot"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"Volume":"late"}`, string(kept.text)); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}

func TestIntentsSettle(t *testing.T) {
	for name, test := range map[string]struct {
		after   time.Duration
		pending []string
	}{
		"at once":          {0, []string{"a port", "a server"}},
		"just before":      {settle - 1, []string{"a port", "a server"}},
		"at the end":       {settle, nil},
		"a clock set back": {-time.Hour, []string{"a port", "a server"}},
	} {
		t.Run(name, func(t *testing.T) {
			time := &clock{at: time.Unix(1000, 0)}
			intents := protection.NewIntents(&record{}, time.now, settle)
			for _, what := range []string{"a server", "a port", "answered"} {
				if err := intents.Begin(t.Context(), what); err != nil {
					t.Fatal(err)
				}
			}
			if err := intents.Answered(t.Context(), "answered"); err != nil {
				t.Fatal(err)
			}
			time.at = time.at.Add(test.after)
			pending, err := intents.Pending(t.Context())
			if diff := cmp.Diff(test.pending, pending); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if left, err := intents.Unsettled(t.Context(), "a port"); err != nil || left > settle {
				t.Errorf("there are %v left, %v", left, err)
			}
		})
	}
}

// TestUndoOfWhatNeverBeganNeedsNoService has the cloud lack what a hook needs, as its region is mistyped.
func TestUndoOfWhatNeverBeganNeedsNoService(t *testing.T) {
	begin := func(t *testing.T, call *protection.Call) {
		t.Helper()
		if err := call.Intents.Begin(t.Context(), "share"); err != nil {
			t.Fatal(err)
		}
		if err := call.Intents.Answered(t.Context(), "share"); err != nil {
			t.Fatal(err)
		}
	}
	save := func(t *testing.T, call *protection.Call) {
		t.Helper()
		if err := call.Scratch.Save(t.Context(), struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	absent := karbor.Errorf(karbor.NotImplemented, "the cloud offers no such service here")
	for name, test := range map[string]struct {
		before func(*testing.T, *protection.Call)
		gives  error
		want   error
	}{
		"nothing was kept":    {func(*testing.T, *protection.Call) {}, absent, nil},
		"something was kept":  {save, absent, absent},
		"something was made":  {begin, absent, absent},
		"it failed otherwise": {func(*testing.T, *protection.Call) {}, errNo, errNo},
	} {
		t.Run(name, func(t *testing.T) {
			intents := protection.NewIntents(&record{}, time.Now, settle)
			call := &protection.Call{Intents: intents, Scratch: intents.Scratch()}
			test.before(t, call)
			err := protection.Undo(t.Context(), func(context.Context, *protection.Call) error { return test.gives }, call)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("got %v; want %v", err, test.want)
			}
		})
	}
}

var errNo = karbor.Errorf(karbor.Forbidden, "no")

func TestScratchRecordIsAnObject(t *testing.T) {
	intents := protection.NewIntents(&record{}, time.Now, settle)
	if err := intents.Scratch().Save(t.Context(), []string{"a list"}); err == nil {
		t.Error("a list was saved")
	}
}

func TestUndoIsOverWhenItHasLookedAfterTheSettlingTime(t *testing.T) {
	time := &clock{at: time.Unix(1000, 0)}
	intents := protection.NewIntents(&record{}, time.now, settle)
	if err := intents.Begin(t.Context(), "snapshot"); err != nil {
		t.Fatal(err)
	}
	looks := 0
	hook := func(context.Context, *protection.Call) error {
		looks++
		time.at = time.at.Add(settle) // the look itself takes long
		return nil
	}
	call := &protection.Call{Intents: intents}
	if err := protection.Undo(t.Context(), hook, call); !karbor.IsTransient(err) {
		t.Errorf("the look that began too early gave %v; want a transient error", err)
	}
	if err := protection.Undo(t.Context(), hook, call); err != nil || looks != 2 {
		t.Errorf("look %d gave %v", looks, err)
	}
	failure := karbor.Errorf(karbor.Forbidden, "no")
	hook = func(context.Context, *protection.Call) error { return failure }
	if err := protection.Undo(t.Context(), hook, &protection.Call{}); !errors.Is(err, failure) {
		t.Errorf("without intents it gave %v", err)
	}
}
