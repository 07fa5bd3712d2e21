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

// TestRoomThatTheLastOfTheOthersGivesBackBehindTheRefusalIsUsed has the others go between a refusal and the look at them.
func TestRoomThatTheLastOfTheOthersGivesBackBehindTheRefusalIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := blockstorage.Waits{Waits: openstack.Waits{Longest: 15 * time.Second, Timeout: time.Hour}}
		others, asked := 1, 0
		create := func(context.Context) (string, error) {
			if asked++; others == 0 {
				return "made", nil
			}
			others = 0
			return "", karbor.Errorf(karbor.OverLimit, "the project may have 10 volumes")
		}
		if id, err := waits.WithinQuota(t.Context(), &protection.Call{}, func(context.Context) (int, error) { return others, nil }, create); id != "made" {
			t.Errorf("there is %q after %d tries: %v", id, asked, err)
		}
		asked = 0
		full := func(context.Context) (string, error) {
			asked++
			return "", karbor.Errorf(karbor.OverLimit, "the project may have 10 volumes")
		}
		_, err := waits.WithinQuota(t.Context(), &protection.Call{}, func(context.Context) (int, error) { return 0, nil }, full)
		if karbor.IsTransient(err) || karbor.KindOf(err) != karbor.OverLimit || asked != 2 {
			t.Errorf("with nobody to wait for, %d tries end in %v", asked, err)
		}
	})
}
