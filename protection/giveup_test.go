package protection_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/protection"
)

// aborted is a writer that does on Abort what it says.
type aborted struct {
	protection.Writer
	abort func(context.Context) error
}

func (a aborted) Abort(ctx context.Context) error { return a.abort(ctx) }

func TestAWriterIsGivenUpThoughTheHookIsOverButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := protection.GiveUp(ctx, aborted{abort: func(ctx context.Context) error { return ctx.Err() }}); err != nil {
			t.Errorf("it was not even begun: %v", err)
		}
		begun := time.Now()
		err := protection.GiveUp(ctx, aborted{abort: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Minute {
			t.Errorf("after %s: %v", took, err)
		}
	})
}
