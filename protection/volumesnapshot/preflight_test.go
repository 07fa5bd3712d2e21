package volumesnapshot_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestLookAheadFindsASnapshotThatIsGone(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s, from := single(t, tenant, p, true)
	f := s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil))
	if len(f.Findings) > 0 || f.Needs[protection.NeedVolumes] != 1 || f.Needs[protection.NeedGigabytes] != 1 {
		t.Errorf("a sound one: %+v", f)
	}
	from.RemoveMade(t, "snapshots")
	f = s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil))
	if got := protectiontest.Errors(f); len(got) != 1 || !strings.Contains(got[0], "its snapshot") || !strings.Contains(got[0], "was deleted") {
		t.Errorf("found %+v", f.Findings)
	}
}
