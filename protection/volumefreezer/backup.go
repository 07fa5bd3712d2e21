package volumefreezer

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// oldest is the microversion that is needed: backups have metadata since then.
const oldest = "3.43"

// connect gives a client of Cinder.
func connect(ctx context.Context, call *protection.Call) (*gophercloud.ServiceClient, error) {
	return openstack.BlockStorageFrom(ctx, call.Cloud, oldest)
}

// find gives the ids of Cinder's backups that the call's jobs made: by the name that the
// job gave, or by the tags that they have got since.
func find(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := blockstorage.BackupsOf(ctx, client, call)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range all {
		b := &all[i]
		if b.Name == call.Name() || b.Metadata != nil && call.Tagged(*b.Metadata) {
			ids = append(ids, b.ID)
		}
	}
	return ids, nil
}

// mark gives a backup the tags by which it is known from now on, and the name and the
// description that the plan wants: Freezer's job can give it its own name only.
func mark(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	members := map[string]any{"metadata": call.Tags()}
	for member, asked := range map[string]string{"name": call.Text("backup_name"), "description": call.Text("description")} {
		if asked != "" {
			members[member] = asked
		}
	}
	response, err := client.Put(ctx, client.ServiceURL("backups", id), map[string]any{"backup": members}, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if err != nil {
		return openstack.Explain(err, "marking backup %s of volume %s", id, call.Node.ID)
	}
	return response.Body.Close()
}

// drop deletes a backup and waits until it is gone.
func (r *room) drop(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	return r.waits.Remove(ctx, fmt.Sprintf("backup %s of volume %s", id, call.Node.ID), openstack.Removal{
		State: func(ctx context.Context) (string, error) {
			b, err := backups.Get(ctx, client, id).Extract()
			if err != nil {
				return "", err
			}
			if b.HasDependentBackups {
				return "", karbor.Errorf(karbor.Conflict, "incremental backups stand on it, which others have made: they must go first")
			}
			return b.Status, nil
		},
		Drop: func(ctx context.Context) error { return backups.Delete(ctx, client, id).ExtractErr() },
	})
}

// backupRecord is what Freezer remembers of a backup.
type backupRecord struct {
	ID       string `json:"backup_id"`
	Metadata struct {
		Name string `json:"backup_name"`
		Mode string `json:"mode"`
	} `json:"backup_metadata"`
}

// records gives the ids of Freezer's records of the call's backups.
func (f *freezer) records(ctx context.Context) ([]string, error) {
	var ids []string
	err := pages(ctx, f, "backups", func(b backupRecord) {
		if b.Metadata.Name == f.call.Name() && b.ID != "" {
			ids = append(ids, b.ID)
		}
	})
	return ids, openstack.Explain(err, "listing Freezer's backups")
}

// recorded reports whether Freezer has a record.
func (f *freezer) recorded(ctx context.Context, id string) (bool, error) {
	var b backupRecord
	_, err := f.client.Get(ctx, f.url("backups", id), &b, nil)
	if openstack.IsNotFound(err) {
		return false, nil
	}
	return err == nil, openstack.Explain(err, "reading Freezer's record of the backup of volume %s", f.call.Node.ID)
}
