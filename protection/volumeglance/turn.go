package volumeglance

import (
	"context"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Where the snapshots of several volumes have used up the room that each needs for its temporary volume, one of them
// waits for the others to give theirs back. These are how often it is seen to be so, before a snapshot is given back,
// and before it is not waited for any longer: others may be on their way, or never go.
const (
	looksToGiveBack = 3
	looksToGiveUp   = 60
)

// temporaryVolume makes the temporary volume of the snapshot, when there is room. Of several volumes that hold snapshots
// and find no room, all but the first by name give theirs back, and take it anew as snapshotLate says.
func (r *room) temporaryVolume(ctx context.Context, c clients, call *protection.Call, record *protectRecord) (string, error) {
	for {
		if record.Late {
			if err := r.snapshotLate(ctx, c, call, record); err != nil {
				return "", err
			}
		}
		stuck, first := 0, false
		passing := func(ctx context.Context) (int, error) {
			n, err := blockstorage.PassingVolumes(ctx, c.volume, call)
			if err != nil || n > 0 {
				stuck = 0
				return n, err
			}
			names, err := blockstorage.PassingSnapshots(ctx, c.volume, call)
			if err != nil || len(names) == 0 {
				stuck = 0
				return 0, err
			}
			stuck++
			if first = call.Name() < slices.Min(names); first && stuck < looksToGiveUp || stuck < looksToGiveBack {
				return len(names), nil
			}
			return 0, nil
		}
		id, err := r.waits().WithinQuota(ctx, call, passing,
			func(ctx context.Context) (string, error) { return ensureVolume(ctx, c.volume, call, *record) })
		switch {
		case karbor.KindOf(err) != karbor.OverLimit || karbor.IsTransient(err) || stuck < looksToGiveBack:
			return id, err
		case first: // what the others wait for may take longer than this: the next run goes on waiting
			return "", &karbor.Error{Kind: karbor.OverLimit, Message: karbor.Sentence(err), Transient: true, Cause: err}
		}
		if err := r.giveBack(ctx, call, record); err != nil {
			return "", err
		}
	}
}

// giveBack notes that the snapshot is given back, which snapshotLate begins with.
func (r *room) giveBack(ctx context.Context, call *protection.Call, record *protectRecord) error {
	record.Snapshot, record.Late = "", true
	return call.Scratch.Save(ctx, record)
}

// removeSnapshots removes those that earlier runs have left: they hold the room that others wait for.
func (r *room) removeSnapshots(ctx context.Context, c clients, call *protection.Call) error {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	ids, err := findSnapshots(ctx, c.volume, call)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.removeSnapshot(ctx, c.volume, call, id); err != nil {
			return err
		}
		if err := call.Release(ctx, protection.HeldSnapshot, id); err != nil {
			return err
		}
	}
	return nil
}

// snapshotLate removes the snapshot, and takes it anew when there is room for it and its temporary volume, or
// nothing temporary of others is there any more.
func (r *room) snapshotLate(ctx context.Context, c clients, call *protection.Call, record *protectRecord) error {
	if err := r.removeSnapshots(ctx, c, call); err != nil {
		return err
	}
	others := 0
	passing := func(context.Context) (int, error) { return others, nil } // of the look that each try begins with
	id, err := r.waits().WithinQuota(ctx, call, passing, func(ctx context.Context) (_ string, err error) {
		if others, err = passingAll(ctx, c.volume, call); err == nil && others > 0 {
			err = roomForBoth(ctx, call, record.Source)
		}
		if err != nil {
			return "", err
		}
		return ensureSnapshot(ctx, c.volume, call, call.TemporaryTags())
	})
	if err != nil {
		return err
	}
	call.NotKept("The volume was snapshotted after the others, when their bytes were kept: the project's quota had no room for all at one time.")
	if err := call.Hold(ctx, held(protection.HeldSnapshot, id, record.Source)); err != nil {
		return err
	}
	record.Snapshot, record.Late = id, false
	if err := call.Scratch.Save(ctx, record); err != nil {
		return err
	}
	return r.snapshotReady(ctx, c.volume, call, record)
}

// passingAll counts the temporary volumes and snapshots of others.
func passingAll(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (int, error) {
	n, err := blockstorage.PassingVolumes(ctx, client, call)
	if err != nil {
		return 0, err
	}
	names, err := blockstorage.PassingSnapshots(ctx, client, call)
	return n + len(names), err
}

// roomForBoth fails with karbor.OverLimit if there is no room for a snapshot and a temporary volume of the source.
func roomForBoth(ctx context.Context, call *protection.Call, source *document) error {
	needs := map[protection.Need]int64{}
	use := blockstorage.Use{Volumes: 1, Snapshots: 1}
	use.Of(source.Size, source.VolumeType, func(what protection.Need, amount int64) { needs[what] += amount })
	lacking, err := openstack.Shortages(ctx, call.Cloud, "a snapshot and a volume of it", needs)
	if err == nil && len(lacking) > 0 {
		err = karbor.Errorf(karbor.OverLimit, "%s", strings.Join(lacking, "; "))
	}
	return err
}
