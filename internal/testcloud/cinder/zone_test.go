package cinder_test

import (
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
)

// TestVolumeOfAnotherIsInItsZone follows Cinder's cloned_volume_same_az, which is on unless an operator says otherwise.
func TestVolumeOfAnotherIsInItsZone(t *testing.T) {
	b := start(t)
	v := b.volume(t, volumes.CreateOpts{Size: 1, AvailabilityZone: "north"})
	snapshot := b.snapshot(t, v.ID)
	token, path := b.Client(t, "demo").TokenID, "/volume/v3/"+b.Projects().Demo+"/volumes"
	for source, words := range map[string]string{
		`"snapshot_id":"` + snapshot + `"`: "the same availability zone as the snapshot",
		`"source_volid":"` + v.ID + `"`:    "the same availability zone as the source volume",
	} {
		made := b.Do(t, token, "POST", path, strings.NewReader(`{"volume":{`+source+`}}`))
		if made.Status != 202 || !strings.Contains(string(made.Body), `"availability_zone":"north"`) {
			t.Errorf("of %s: %d %s", source, made.Status, made.Body)
		}
		refused := b.Do(t, token, "POST", path, strings.NewReader(`{"volume":{`+source+`,"availability_zone":"nova"}}`))
		if refused.Status != 400 || !strings.Contains(string(refused.Body), words) {
			t.Errorf("of %s in another zone: %d %s", source, refused.Status, refused.Body)
		}
	}
}
