package volumebackup_test

import (
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

//karbor:tries no-in-place of volumebackup
func TestARestoreInPlaceIsRefusedWithTheWayThatThereIs(t *testing.T) {
	p := open(t, quick)
	if h := p.Hooks(protection.InPlace, karbor.VolumeType); h.Main != nil {
		t.Error("there is a hook that overwrites")
	}
	says, ok := p.(protection.NotInPlace)
	if !ok {
		t.Fatal("it says nothing of restores in place")
	}
	for _, part := range []string{"a new volume", "volume_id", "administrator"} {
		if sentence := says.NotInPlace(karbor.VolumeType); !strings.Contains(sentence, part) {
			t.Errorf("%q does not say %q", sentence, part)
		}
	}
}

// TestTheOriginalIsOverwrittenByItsIDAndThatIsTakenBack does what a tenant is told to do where a restore in place is
// refused: he protects the volume as it is, and each of the two checkpoints can overwrite it.
func TestTheOriginalIsOverwrittenByItsIDAndThatIsTakenBack(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t, protectiontest.SmallVolumes), open(t, quick)
	d := disk(t, tenant)
	first := tenant.Sum(t, d.ID)
	earlier, later := begin(t, tenant, p, d), begin(t, tenant, p, d)
	earlier.mustProtect(t, "full")
	tenant.Overwrite(t, d.ID, "what was written later ")
	second := tenant.Sum(t, d.ID)
	if first == second {
		t.Fatal("the volume has no other bytes")
	}
	later.mustProtect(t, "full")
	for _, step := range []struct {
		name string
		from *checkpoint
		want string
	}{{"restored", earlier, first}, {"taken back", later, second}} {
		if _, err := step.from.restore(t, map[string]any{"volume_id": d.ID}); err != nil || step.from.Result().ID != d.ID {
			t.Fatalf("%s: the new id is %q, %v; want the original's, %s", step.name, step.from.Result().ID, err, d.ID)
		}
		if got := tenant.Sum(t, d.ID); got != step.want {
			t.Errorf("%s: the volume has other bytes", step.name)
		}
	}
}
