package blockstorage_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// TestRoomThatOthersGiveBackLateIsWaitedForByTheNextRun has others hold the quota for longer than one run waits.
func TestRoomThatOthersGiveBackLateIsWaitedForByTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := blockstorage.Waits{Waits: openstack.Waits{Longest: 15 * time.Second, Timeout: time.Hour}}
		_, err := waits.WithinQuota(t.Context(), &protection.Call{Waiting: func(string) {}},
			func(context.Context) (int, error) { return 1, nil },
			func(context.Context) (string, error) {
				return "", karbor.Errorf(karbor.OverLimit, "the project may have 10 volumes")
			})
		if !karbor.IsTransient(err) || karbor.KindOf(err) != karbor.OverLimit {
			t.Errorf("the operation ends: %v", err)
		}
	})
}
