package waiting

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/protection/volumebackup"
	"github.com/karbor/karbor/protection/volumeglance"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

// refused protects a plan that has no room, and gives the reason. Nothing may have been made.
func (s teller) refused(plan client.Plan) string {
	s.t.Helper()
	before := s.inUse()
	s.site.cloud.Requests().Reset()
	made, err := s.karbor.Checkpoints.Create(s.t.Context(), providerID, client.CheckpointRequest{PlanID: plan.ID})
	if err != nil {
		s.t.Fatal(err)
	}
	now := made
	for end := time.Now().Add(5 * time.Minute); now.Status == karbor.CheckpointProtecting && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if now, err = s.karbor.Checkpoints.Show(s.t.Context(), providerID, made.ID); err != nil {
			s.t.Fatal(err)
		}
	}
	if now.Status != karbor.CheckpointError {
		s.t.Fatalf("the checkpoint is %s", now.Status)
	}
	for request := range s.site.cloud.Requests().Counts() {
		if strings.HasPrefix(request, "cinder POST") || strings.HasPrefix(request, "glance POST") {
			s.t.Errorf("the cloud was asked to make something: %s", request)
		}
	}
	if diff := cmp.Diff(before, s.inUse()); diff != "" {
		s.t.Errorf("the cloud has other things (-before +now):\n%s", diff)
	}
	for r, err := range s.karbor.TemporaryResources.List(s.t.Context(), client.ListOptions{Filters: map[string]string{"checkpoint_id": made.ID}}) {
		s.t.Errorf("the ledger has %+v, %v", r, err)
	}
	return strings.Join(slices.Sorted(maps.Values(now.Reasons)), "\n")
}

// TestAQuotaShortByOneLeavesNothingMade has plans of two volumes of 1 GiB.
func TestAQuotaShortByOneLeavesNothingMade(t *testing.T) {
	for plugin, quotas := range map[string]map[string]struct{ enough, needs int }{
		volumesnapshot.Name: {"snapshots": {2, 2}, "gigabytes": {4, 2}, "snapshots_standard": {2, 2}},
		volumebackup.Name:   {"snapshots": {1, 1}, "gigabytes": {3, 1}, "backups": {2, 2}, "backup_gigabytes": {2, 2}},
	} {
		t.Run(plugin, func(t *testing.T) {
			s := newTeller(t, newSite(t, 20*time.Millisecond, plugin))
			plan := s.plan(t, 2)
			for quota, room := range quotas {
				s.site.cloud.Quotas().Set(s.project, quota, room.enough-1)
				why := s.refused(plan)
				if !strings.Contains(why, "nothing was made, as the quota \""+strings.TrimSuffix(quota, "_standard")+"\"") || !strings.Contains(why, "the checkpoint needs "+string(rune('0'+room.needs))+",") {
					t.Errorf("of %s the reason is %s", quota, why)
				}
				s.site.cloud.Quotas().Set(s.project, quota, room.enough)
			}
			s.protect(t, plan, func() {})
		})
	}
}

// TestSnapshotsThatLeaveNoRoomForAVolumeAreGivenBack moves two GiB: both snapshots fit, and then neither volume.
func TestSnapshotsThatLeaveNoRoomForAVolumeAreGivenBack(t *testing.T) {
	s := newTeller(t, newSite(t, 20*time.Millisecond, volumeglance.Name))
	plan := s.plan(t, 2)
	s.site.cloud.Quotas().Set(s.project, "gigabytes", 4)
	before := s.inUse()
	checkpoint := s.protect(t, plan, func() {})
	if diff := cmp.Diff(before, s.inUse()); diff != "" {
		t.Errorf("the cloud has other things (-before +now):\n%s", diff)
	}
	late := 0
	for _, sentences := range checkpoint.NotKept {
		if strings.Contains(strings.Join(sentences, " "), "snapshotted after the others") {
			late++
		}
	}
	if late != 1 {
		t.Errorf("%d volumes were snapshotted late: %v", late, checkpoint.NotKept)
	}
}

// TestVolumesWithRoomForOneAreProtectedOneAfterAnother moves two GiB.
func TestVolumesWithRoomForOneAreProtectedOneAfterAnother(t *testing.T) {
	s := newTeller(t, newSite(t, 20*time.Millisecond, volumeglance.Name))
	plan := s.plan(t, 2)
	set := func(quota string, limit int) { s.site.cloud.Quotas().Set(s.project, quota, limit) }
	for quota, enough := range map[string]int{"snapshots": 1, "volumes": 3, "gigabytes": 4} {
		set(quota, enough-1)
		if why := s.refused(plan); !strings.Contains(why, "the quota \""+quota+"\" does not suffice") {
			t.Errorf("of %s the reason is %s", quota, why)
		}
		set(quota, enough)
	}
	checkpoint := s.protect(t, plan, func() {})
	request := client.RestoreRequest{ProviderID: providerID, CheckpointID: checkpoint.ID}
	request.Choices.InPlace = true
	for snapshots, ready := range map[int]bool{0: false, 1: false, 2: true} {
		set("snapshots", snapshots)
		found, err := s.karbor.Restores.Check(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if found.Ready != ready || !ready && !strings.Contains(found.Findings[0].Message, "the quota \"snapshots\" does not suffice: the restore needs 2") {
			t.Errorf("with a quota of %d snapshots: ready %t, %+v", snapshots, found.Ready, found.Findings)
		}
	}
}
