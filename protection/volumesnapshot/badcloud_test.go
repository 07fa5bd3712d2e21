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
		path, thing  string
		status, word string
		kind         karbor.Kind
	}{
		"a snapshot in error":          {karbor.Protect, "/snapshots/", "nightly", "error", "snapshot", karbor.Conflict},
		"a snapshot that stays":        {karbor.Protect, "/snapshots/", "nightly", "creating", "snapshot", karbor.Unavailable},
		"a restored volume in error":   {karbor.RestoreOperation, "/volumes/", "disk", "error", "volume", karbor.Conflict},
		"a restored volume that stays": {karbor.RestoreOperation, "/volumes/", "disk", "creating", "volume", karbor.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			way := &protectiontest.Pretending{}
			one := caseOf(t, protectiontest.NewTenant(t), quick)
			one.Transport = way
			err := protectiontest.Spoilt(t, one, c.what, func() {
				way.Told(c.kind)(c.path, func(members map[string]any) {
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
