package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// keeper makes and removes the backups of a call.
type keeper struct {
	client *gophercloud.ServiceClient
	call   *protection.Call
	waits  openstack.Waits
}

// mark is what the descriptions of the call's backups end with: Trove keeps no metadata,
// and the names are the tenant's.
func mark(call *protection.Call) string { return "[" + call.Name() + "]" }

// marked finds the mark of any of Karbor's backups, and the checkpoint in it.
var marked = regexp.MustCompile(`\[karbor-([0-9a-f-]{36})-[^ \]]+\]$`)

// longest is how long Trove lets a name or a description be, in characters.
const longest = 255

// described gives the description of the call's backup.
func described(call *protection.Call) string {
	own := mark(call)
	text := []rune(call.Text("description"))
	if most := longest - len(own) - 1; len(text) > most {
		text = text[:most]
	}
	return strings.TrimSpace(string(text) + " " + own)
}

// own gives all the backups of the call's instance.
func (k keeper) own(ctx context.Context) ([]database.Backup, error) {
	return database.Backups(ctx, k.client, k.call.Cloud, k.call.Node.ID)
}

// find gives the backup that the call's hooks made, or "".
func (k keeper) find(ctx context.Context) (string, error) {
	all, err := k.own(ctx)
	if err != nil {
		return "", err
	}
	for i := range all {
		if strings.HasSuffix(all[i].Description, mark(k.call)) {
			return all[i].ID, nil
		}
	}
	return "", nil
}

// parent gives the newest backup that an incremental one can stand on, or "". One that
// the tenant made is none: should he delete it, Trove deletes what stands on it, too.
func (k keeper) parent(ctx context.Context, source *document) (string, error) {
	all, err := k.own(ctx)
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(b database.Backup) bool {
		return b.Status != database.Completed || !marked.MatchString(b.Description) ||
			b.Datastore.Type != source.Datastore || b.Datastore.Version != source.DatastoreVersion
	})
	if len(all) == 0 {
		return "", nil
	}
	// Both have the form 2006-01-02T15:04:05.
	return slices.MaxFunc(all, func(a, b database.Backup) int {
		return cmp.Or(strings.Compare(a.Updated, b.Updated), depth(all, a)-depth(all, b))
	}).ID, nil
}

// depth is on how many others a backup stands: of two of the same second the deeper one
// is newer.
func depth(all []database.Backup, b database.Backup) int {
	n := 0
	for b.ParentID != "" && n < len(all) {
		at := slices.IndexFunc(all, func(o database.Backup) bool { return o.ID == b.ParentID })
		if at < 0 {
			break
		}
		b = all[at]
		n++
	}
	return n
}

// ensure gives the call's backup, and asks for it if there is none.
func (k keeper) ensure(ctx context.Context, parent string) (string, error) {
	return openstack.Make(ctx, k.call, "backup", k.find, func(ctx context.Context) (string, error) {
		ask := map[string]any{
			"instance": k.call.Node.ID, "name": protection.First(k.call.Text("backup_name"), k.call.Name()), "description": described(k.call),
		}
		if parent != "" {
			ask["parent_id"] = parent
		}
		var answer struct {
			Backup database.Backup `json:"backup"`
		}
		_, err := k.client.Post(ctx, k.client.ServiceURL("backups"), map[string]any{"backup": ask}, &answer,
			&gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted, http.StatusOK}})
		return answer.Backup.ID, busy(err, "creating a backup of database instance %s", k.call.Node.ID)
	})
}

// busy explains an error of Trove's. 422 says that the instance is busy: that passes.
func busy(err error, format string, args ...any) error {
	explained := openstack.Explain(err, format, args...)
	var known *karbor.Error
	if gophercloud.ResponseCodeIs(err, http.StatusUnprocessableEntity) && errors.As(explained, &known) {
		return &karbor.Error{Kind: karbor.Conflict, Message: known.Message, Transient: true, Cause: known.Cause}
	}
	return explained
}

// await waits until a backup is completed.
func (k keeper) await(ctx context.Context, id string) error {
	ctx, cancel := k.waits.Within(ctx)
	defer cancel()
	what := "backup " + id + " of database instance " + k.call.Node.ID
	return openstack.Poll(ctx, what, k.waits.Longest, func(ctx context.Context) (bool, error) {
		b, err := database.GetBackup(ctx, k.client, k.call.Cloud, id)
		switch {
		case err != nil:
			return false, err
		case b.Status == database.Completed:
			return true, nil
		case b.Running():
			return false, openstack.Still("in state %q", b.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q in the cloud", what, b.Status)
		}
	})
}

// drop removes the call's backups: those that are found, and the recorded one ("" for
// none). With a backup Trove deletes all that stand on it: so one that others stand on
// stays, and the error names them.
func (k keeper) drop(ctx context.Context, recorded string) error {
	ctx, cancel := k.waits.Within(ctx)
	defer cancel()
	all, err := k.own(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		b := &all[i]
		if b.ID != recorded && !strings.HasSuffix(b.Description, mark(k.call)) {
			continue
		}
		if on := standing(all, b.ID); len(on) > 0 {
			return karbor.Errorf(karbor.Conflict, "backup %s of database instance %s can't be deleted yet: Trove would delete with it what stands on it. "+
				"Delete first %s", b.ID, k.call.Node.ID, strings.Join(on, ", "))
		}
		if err := k.dropOne(ctx, b.ID); err != nil {
			return err
		}
	}
	return nil
}

// standing names what stands on a backup: checkpoints, and backups that others made.
func standing(all []database.Backup, id string) []string {
	var names []string
	for i := range all {
		if all[i].ParentID != id {
			continue
		}
		if m := marked.FindStringSubmatch(all[i].Description); m != nil {
			names = append(names, "checkpoint "+m[1])
		} else {
			names = append(names, "backup "+all[i].ID)
		}
	}
	return names
}

func (k keeper) dropOne(ctx context.Context, id string) error {
	asked := false
	return k.waits.Remove(ctx, fmt.Sprintf("backup %s of database instance %s", id, k.call.Node.ID), openstack.Removal{
		State: func(ctx context.Context) (string, error) {
			b, err := database.GetBackup(ctx, k.client, k.call.Cloud, id)
			switch {
			case err != nil:
				return "", err
			case b.Running():
				return b.Status, nil
			case b.Status == "DELETE_FAILED":
				return "error_deleting", nil
			case asked: // Trove shows a backup as it was until it is gone
				return "deleting", nil
			}
			return "available", nil
		},
		Drop: func(ctx context.Context) error {
			response, err := k.client.Delete(ctx, k.client.ServiceURL("backups", id), &gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted, http.StatusNoContent}})
			if err != nil {
				return err
			}
			asked = true
			return response.Body.Close()
		},
	})
}
