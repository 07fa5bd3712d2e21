package volumebackup_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestLookAheadFindsWhatTheRestoreWouldFailFor(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "full")
	used := tenant.Disk(t)
	used.Attach(t)
	for name, test := range map[string]struct {
		asked map[string]any
		want  string // "" where it is ready
		needs int64  // volumes
	}{
		"ready":                       {nil, "", 1},
		"a type that is not there":    {map[string]any{"restore_volume_types": map[string]any{"*": "none"}}, "there is no volume type", 1},
		"a zone that is not there":    {map[string]any{"restore_availability_zones": map[string]any{"*": "moon"}}, "there is no availability zone", 1},
		"into one that is used":       {map[string]any{"volume_id": used.ID}, "detach it", 0},
		"into one that is not there":  {map[string]any{"volume_id": karbor.NewID()}, "there is no volume", 0},
		"into the original once more": {map[string]any{"volume_id": d.ID}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.LookAhead(t, c.Begin(tenant.Cloud, nil, test.asked))
			got := protectiontest.Errors(f)
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("found %q; want %q", got, test.want)
			}
			if f.Needs[protection.NeedVolumes] != test.needs || f.Needs[protection.NeedGigabytes] != test.needs {
				t.Errorf("it needs %v", f.Needs)
			}
		})
	}
}

func TestLookAheadFindsABackupThatIsGone(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "full")
	d.RemoveMade(t, "backups")
	f := c.LookAhead(t, c.Begin(tenant.Cloud, nil, nil))
	if got := protectiontest.Errors(f); len(got) != 1 || !strings.Contains(got[0], "its backup") || !strings.Contains(got[0], "was deleted") {
		t.Errorf("found %+v", f.Findings)
	}
}
