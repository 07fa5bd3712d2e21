package blockstorage

import (
	"context"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// longestForRoom bounds one wait for room in a quota. It is shorter than what a hook
// before Main has by default (operations.phase_deadlines.prepare), so that its own reason is told; then it
// is begun again.
const longestForRoom = 50 * time.Minute

// looksAlone is how often a creation is refused without others there before it fails: the last of them may go
// between the refusal and the look.
const looksAlone = 2

// SnapshotWithinQuota is WithinQuota for the snapshot that a volume's bytes are read from. It tells where the
// snapshot was taken later than those of the other volumes.
func (w Waits) SnapshotWithinQuota(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call,
	create func(ctx context.Context) (string, error),
) (id string, err error) {
	told := false
	passing := func(ctx context.Context) (int, error) {
		names, err := PassingSnapshots(ctx, client, call)
		if len(names) > 0 && !told {
			// It is told now: the snapshot may be taken by another run, which need not wait any more.
			call.NotKept("The moment of the others: the volume was snapshotted later, as the project's quota had no room for all snapshots at one time.")
			told = true
		}
		return len(names), err
	}
	return w.WithinQuota(ctx, call, passing, create)
}

// WithinQuota makes something temporary. Where the project's quota has no room for it, it waits
// as long as others of its kind are there that go by themselves: those of the other
// volumes that are being protected. passing counts them.
func (w Waits) WithinQuota(ctx context.Context, call *protection.Call, passing func(ctx context.Context) (int, error),
	create func(ctx context.Context) (string, error),
) (id string, err error) {
	ctx, cancel := openstack.Within(ctx, longestForRoom)
	defer cancel()
	told, alone := false, 0
	err = openstack.Poll(ctx, "room in the quota of the project", w.Longest, func(ctx context.Context) (bool, error) {
		var failure error
		if id, failure = create(ctx); failure == nil || karbor.KindOf(failure) != karbor.OverLimit {
			return failure == nil, failure
		}
		others, err := passing(ctx)
		if err != nil {
			return false, err
		}
		if others > 0 {
			alone = 0
		} else if alone++; alone == looksAlone {
			return false, failure
		}
		if !told && others > 0 && call.Waiting != nil {
			call.Waiting("It waits for room in the project's quota, which other volumes that are being protected use for a while: " + karbor.Sentence(failure))
		}
		told = told || others > 0
		return false, openstack.Still("refused: %s", karbor.Sentence(failure))
	})
	if told && call.Waiting != nil {
		call.Waiting("")
	}
	if told && err != nil && ctx.Err() != nil && karbor.KindOf(err) == karbor.Unavailable {
		// Nothing hangs: the others go by themselves, and the next run waits on.
		err = &karbor.Error{Kind: karbor.OverLimit, Message: karbor.Sentence(err), Transient: true, Cause: err}
	}
	return id, err
}

// temporary reports whether something in the project was made for a while by this Karbor,
// for another resource than the call's. What a checkpoint keeps has the tags, too, but for
// the one that says that it goes.
func temporary(call *protection.Call, name string, metadata map[string]string) bool {
	return call.Installation != "" && metadata[protection.TemporaryTag] == call.Installation &&
		strings.HasPrefix(name, protection.OwnerMark("")) && !call.Tagged(metadata)
}

// PassingSnapshots gives the names of the temporary snapshots of others.
func PassingSnapshots(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (names []string, err error) {
	all, err := openstack.AllPages(ctx, snapshots.List(client, snapshots.ListOpts{}), snapshots.ExtractSnapshots)
	for _, s := range all {
		if temporary(call, s.Name, s.Metadata) {
			names = append(names, s.Name)
		}
	}
	return names, openstack.Explain(err, "listing the snapshots of the project")
}

// PassingVolumes counts the temporary volumes of others. A snapshot alone is no sign that
// room is coming: its volume may wait, too.
func PassingVolumes(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (n int, err error) {
	all, err := openstack.AllPages(ctx, volumes.List(client, volumes.ListOpts{}), volumes.ExtractVolumes)
	for _, v := range all {
		if temporary(call, v.Name, v.Metadata) {
			n++
		}
	}
	return n, openstack.Explain(err, "listing the volumes of the project")
}
