package share_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

func TestLookAheadFindsASnapshotThatIsGone(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	from := newFiles(t, tenant, nil)
	s := protectiontest.NewSingle(p, from.source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if f := s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil)); len(f.Findings) > 0 {
		t.Errorf("a sound one: %+v", f)
	}
	from.source.Lose(t)
	f := s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil))
	if got := protectiontest.Errors(f); len(got) != 1 || !strings.Contains(got[0], "its snapshot") || !strings.Contains(got[0], "was deleted") {
		t.Errorf("found %+v", f.Findings)
	}
}
