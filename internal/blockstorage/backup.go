package blockstorage

import (
	"context"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// BackupsOf gives the backups of the call's volume, also those that others made.
func BackupsOf(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]backups.Backup, error) {
	all, err := openstack.AllPages(ctx, backups.ListDetail(client, backupQuery{volume: call.Node.ID}), backups.ExtractBackups)
	if err != nil {
		return nil, openstack.Explain(err, "listing the backups of volume %s", call.Node.ID)
	}
	own := all[:0]
	for i := range all {
		if all[i].VolumeID == call.Node.ID {
			own = append(own, all[i])
		}
	}
	return own, nil
}

// backupQuery filters a detailed list by the volume, for which gophercloud has no
// member.
type backupQuery struct{ volume string }

// ToBackupListDetailQuery implements backups.ListDetailOptsBuilder.
func (q backupQuery) ToBackupListDetailQuery() (string, error) { return "?volume_id=" + q.volume, nil }

// AwaitBackup waits until a backup of the call's volume is available, and tells what the
// cloud says of one that comes to nothing.
func (w Waits) AwaitBackup(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) (*backups.Backup, error) {
	ctx, cancel := w.Within(ctx)
	defer cancel()
	what := "backup " + id + " of volume " + call.Node.ID
	var backup *backups.Backup
	err := openstack.Poll(ctx, what, w.Longest, func(ctx context.Context) (bool, error) {
		b, err := backups.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		backup = b
		switch b.Status {
		case "available", "restoring":
			return true, nil
		case "creating":
			return false, openstack.Still("in state %q", b.Status)
		default:
			return false, failedBackup(what, b)
		}
	})
	return backup, err
}

// SoundBackup looks whether the backup that a document names can be restored: it is
// there, available, of the call's volume, and of the document's size in GiB.
func SoundBackup(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string, size int) error {
	if id == "" || size <= 0 {
		return karbor.Errorf(karbor.Internal, "its document names no backup, or no size of the volume")
	}
	b, err := backups.Get(ctx, client, id).Extract()
	what := "its backup " + id
	switch {
	case openstack.IsNotFound(err):
		return karbor.Errorf(karbor.Conflict, "%s is not in this project of this cloud: it was deleted, or the checkpoint was made elsewhere", what)
	case err != nil:
		return openstack.Explain(err, "reading backup %s of volume %s", id, call.Node.ID)
	case b.VolumeID != call.Node.ID:
		return karbor.Errorf(karbor.Internal, "%s is of another volume", what)
	case b.Size != size:
		return karbor.Errorf(karbor.Internal, "%s has %d GiB, and its document says %d", what, b.Size, size)
	case b.Status == "restoring" || b.Status == "creating":
		return karbor.Transientf("%s is in state %q", what, b.Status)
	case b.Status != "available":
		return failedBackup(what, b)
	}
	return nil
}

// failedBackup tells what the cloud says of a backup that came to nothing.
func failedBackup(what string, b *backups.Backup) error {
	const longest = 200
	reason := []rune(strings.Join(strings.Fields(b.FailReason), " "))
	if len(reason) > longest {
		reason = append(reason[:longest], '…')
	}
	return karbor.Errorf(karbor.Conflict, "%s went into state %q in the cloud: %s", what, b.Status, protection.First(string(reason), "it gives no reason"))
}
