package leftover

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAProjectHasFewOfThePlaces(t *testing.T) {
	places := newTries()
	for i := range ofProject {
		if !places.enter("a") {
			t.Errorf("its place %d is refused", i)
		}
	}
	if places.enter("a") {
		t.Error("a project has more than its places")
	}
	for i := range (atOnce - ofProject) / ofProject {
		for range ofProject {
			if project := string(rune('b' + i)); !places.enter(project) {
				t.Errorf("project %s has no place", project)
			}
		}
	}
	if places.enter("another") {
		t.Error("there are more places than there should be")
	}
	places.end("a")
	<-places.ended
	if !places.enter("another") {
		t.Error("a place that is free again is refused")
	}
}

func TestAClaimIsRenewedAsLongAsTheTryLastsAndLostWithIt(t *testing.T) {
	const lasts = time.Minute
	away := errors.New("the database is away")
	for name, c := range map[string]struct {
		renew func(at time.Duration) (bool, error)
		want  time.Duration // when the try is ended; 0 for never
	}{
		"it holds":               {func(time.Duration) (bool, error) { return true, nil }, 0},
		"another has taken it":   {func(at time.Duration) (bool, error) { return at < 2*lasts, nil }, 2 * lasts},
		"nobody can say":         {func(time.Duration) (bool, error) { return false, away }, lasts},
		"nobody can for a while": {func(at time.Duration) (bool, error) { return at > lasts/2, map[bool]error{false: away}[at > lasts/2] }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			ctx, release := held(t.Context(), lasts, func(context.Context) (bool, error) { return c.renew(time.Since(begun)) })
			defer release()
			select {
			case <-ctx.Done():
				if took := time.Since(begun); took != c.want || !errors.Is(context.Cause(ctx), errLost) {
					t.Errorf("%s: the try is ended after %v by %v", name, took, context.Cause(ctx))
				}
			case <-time.After(10 * lasts):
				if c.want != 0 {
					t.Errorf("%s: the try goes on", name)
				}
			}
		})
	}
}
