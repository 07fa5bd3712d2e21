package deadline

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// told are the times at which somebody was told of a hook that does not return, and
// at which that was taken back.
type told struct{ stuck, returned []time.Duration }

// telling has o tell what it does to told, where Stuck ends the operation at the call over.
func telling(t *testing.T, o *Options, over int) *told {
	got, begun := &told{}, time.Now()
	check := func(ctx context.Context, sentence string) {
		t.Helper()
		if left, ok := ctx.Deadline(); ctx.Err() != nil || !ok || time.Until(left) != defaultGrace || !strings.Contains(sentence, "no further in its phase main") {
			t.Errorf("%v, %v, %q", ctx.Err(), left, sentence)
		}
	}
	o.Stuck = func(ctx context.Context, sentence string) bool {
		check(ctx, sentence)
		got.stuck = append(got.stuck, time.Since(begun))
		return len(got.stuck) == over
	}
	o.Returned = func(ctx context.Context, sentence string) {
		check(ctx, sentence)
		got.returned = append(got.returned, time.Since(begun))
	}
	return got
}

// deaf is a hook that returns after a time, whatever its context says.
func deaf(d time.Duration) protection.Hook {
	return func(context.Context, *protection.Call) error { time.Sleep(d); return io.ErrClosedPipe }
}

func TestAHookThatDoesNotReturnIsToldOfUntilItDoesOrNothingIsLeftToEnd(t *testing.T) {
	const grace = defaultGrace
	for name, c := range map[string]struct {
		took time.Duration
		over int
		want []time.Duration
	}{
		"it clears away":     {limit + 14*time.Minute, 1, nil},
		"it returns late":    {limit + grace + 1, 2, []time.Duration{limit + grace}},
		"nobody listens":     {limit + 3*grace + 1, 0, []time.Duration{limit + grace, limit + 2*grace, limit + 3*grace}},
		"its operation ends": {5 * limit, 2, []time.Duration{limit + grace, limit + 2*grace}},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := options()
			got := telling(t, &o, c.over)
			if err := New(o).Run(t.Context(), deaf(c.took), &protection.Call{}); !errors.Is(err, ErrStalled) || !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: error is %v", name, err)
			}
			if !slices.Equal(got.stuck, c.want) {
				t.Errorf("%s: told at %v", name, got.stuck)
			}
			if back := len(got.returned); c.want == nil && back != 0 || c.want != nil && (back != 1 || got.returned[0] != c.took) {
				t.Errorf("%s: taken back at %v", name, got.returned)
			}
		})
	}
}

func TestAHookThatDoesNotReturnIsToldOfWhereItsOperationIsStoppedButNotWhereItMayGoOnElsewhere(t *testing.T) {
	const grace = defaultGrace
	once := []time.Duration{limit + grace}
	for name, c := range map[string]struct {
		cause error
		at    time.Duration
		want  []time.Duration
	}{
		"stopped":                   {workflow.ErrStopped, limit / 2, once},
		"stopped when it hung":      {workflow.ErrStopped, limit + 1, once},
		"too late":                  {context.DeadlineExceeded, limit / 2, once},
		"lost":                      {errors.New("the lease ran out"), limit / 2, nil},
		"lost when it hung":         {errors.New("the lease ran out"), limit + 1, nil},
		"the process leaves":        {context.Canceled, limit / 2, nil},
		"lost after it was told of": {context.Canceled, limit + grace + 1, once},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := options()
			got := telling(t, &o, 0)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(c.at, func() { cancel(c.cause) })
			took := limit + grace + grace/2
			if err := New(o).Run(ctx, deaf(took), &protection.Call{}); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: error is %v", name, err)
			}
			if !slices.Equal(got.stuck, c.want) || len(got.returned) != len(c.want) {
				t.Errorf("%s: told at %v, taken back at %v", name, got.stuck, got.returned)
			}
		})
	}
}

func TestAHookThatReturnsWhenItsOperationIsStoppedEndsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		got := telling(t, &o, 0)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(limit/2, func() { cancel(workflow.ErrStopped) })
		begun := time.Now()
		err := New(o).Run(ctx, hangs, &protection.Call{})
		if took := time.Since(begun); took != limit/2 || errors.Is(err, ErrStalled) || len(got.stuck)+len(got.returned) > 0 {
			t.Errorf("after %s: %v, %+v", took, err, got)
		}
	})
}
