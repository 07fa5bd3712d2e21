package volumesnapshot_test

import (
	"fmt"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestStateInWhichTheCloudGetsNoFurtherIsToldAndNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		what         karbor.OperationType
		wait         string
		path, thing  string
		status, word string
		kind         karbor.Kind
	}{
		"a snapshot in error":          {karbor.Protect, "1m", "/snapshots/", "nightly", "error", "snapshot", karbor.Conflict},
		"a snapshot that stays":        {karbor.Protect, "150ms", "/snapshots/", "nightly", "creating", "snapshot", karbor.Unavailable},
		"a restored volume in error":   {karbor.RestoreOperation, "1m", "/volumes/", "disk", "error", "volume", karbor.Conflict},
		"a restored volume that stays": {karbor.RestoreOperation, "150ms", "/volumes/", "disk", "creating", "volume", karbor.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			way := &protectiontest.Pretending{}
			one := caseOf(t, protectiontest.NewTenant(t), "{poll_interval: 10ms, timeout: "+c.wait+"}")
			one.Transport = way
			err := protectiontest.Spoilt(t, one, c.what, func() {
				way.Say(c.path, func(members map[string]any) {
					if fmt.Sprint(members["name"]) == c.thing {
						members["status"] = c.status
					}
				})
			}, func() { way.Stop() })
			protectiontest.ExpectRefusal(t, err, c.kind, c.word, fmt.Sprintf("%q", c.status))
		})
	}
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	c := caseOf(t, protectiontest.NewTenant(t), quick)
	c.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, c)
}
