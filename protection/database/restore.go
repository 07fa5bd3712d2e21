package database

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/database"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	// Begun says that an instance may have been asked for.
	Begun    bool   `json:"begun,omitempty"`
	Instance string `json:"instance,omitempty"`
}

// restore is the Main hook of restore: a new instance of the backup. An instance has
// nothing to tag but its name: until it is finished, it has the call's, with the mark of what is
// not restored yet.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	b := builder{client: client, call: call, doc: doc, waits: r.waits}
	if record.Instance == "" {
		record.Begun = true
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
		if record.Instance, err = b.ensure(ctx); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	instance, err := b.await(ctx, record.Instance)
	if err != nil {
		return err
	}
	if err := b.finish(ctx, instance); err != nil {
		return err
	}
	return call.NewResources.Set(ctx, record.Instance)
}

// builder makes and removes the instance that takes an original's place.
type builder struct {
	client *gophercloud.ServiceClient
	call   *protection.Call
	doc    document
	waits  openstack.Waits
}

// name is that of an instance that is not finished.
func (b builder) name() string { return b.call.RestoringText(b.call.Name()) }

// begun reports whether an instance that has a name is one that the call's hooks made and have not finished: under the
// name that this Karbor has now or had then, or in a release before the mark.
func (b builder) begun(name string) bool {
	if _, owner, marked := protection.CutRestoring(name); marked && owner == b.call.Owner {
		return strings.HasSuffix(name, " "+b.call.Name())
	}
	return name == b.name() || name == b.call.Name()
}

// find gives the instances that the call's hooks made and have not finished.
func (b builder) find(ctx context.Context) ([]string, error) {
	all, err := database.List(ctx, b.client, b.call.Cloud)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range all {
		if b.begun(all[i].Name) {
			ids = append(ids, all[i].ID)
		}
	}
	return ids, nil
}

// ensure gives the instance that takes the original's place, and asks for it if there is
// none.
func (b builder) ensure(ctx context.Context) (string, error) {
	find := func(ctx context.Context) (string, error) {
		ids, err := b.find(ctx)
		if len(ids) == 0 {
			return "", err
		}
		return ids[0], err
	}
	return openstack.Make(ctx, b.call, "database instance", find, func(ctx context.Context) (string, error) {
		if err := sound(ctx, b.call, &b.doc); err != nil {
			return "", err
		}
		ask, err := b.request(ctx)
		if err != nil {
			return "", err
		}
		var answer struct {
			Instance database.Instance `json:"instance"`
		}
		_, err = b.client.Post(ctx, b.client.ServiceURL("instances"), map[string]any{"instance": ask}, &answer,
			&gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusAccepted}})
		return answer.Instance.ID, busy(err, "creating the database instance that takes the place of database instance %s", b.call.Node.ID)
	})
}

// request gives what Trove is asked for.
func (b builder) request(ctx context.Context) (map[string]any, error) {
	flavor, err := b.flavor(ctx)
	if err != nil {
		return nil, err
	}
	ask := map[string]any{
		"name": b.name(), "flavorRef": flavor, "restorePoint": map[string]any{"backupRef": b.doc.BackupID},
		"datastore": map[string]any{"type": b.doc.Datastore, "version": b.doc.DatastoreVersion},
	}
	if b.doc.Size > 0 {
		ask["volume"] = map[string]any{"size": b.doc.Size}
	}
	if network := b.network(); network != "" {
		ask["nics"] = []any{map[string]any{"net-id": network}}
	}
	if b.doc.Access.Public || len(b.doc.Access.CIDRs) > 0 {
		ask["access"] = b.doc.Access
	}
	if b.doc.ConfigurationID == "" {
		return ask, nil
	}
	there, err := b.there(ctx, "configurations", b.doc.ConfigurationID)
	if err != nil {
		return nil, err
	}
	if there {
		ask["configuration"] = b.doc.ConfigurationID
	} else {
		b.call.NotKept(fmt.Sprintf("The configuration group %q: it is not there any more. The instance has its datastore's own settings.", b.doc.Configuration))
	}
	return ask, nil
}

// flavor gives the flavor to ask for.
func (b builder) flavor(ctx context.Context) (string, error) {
	asked := b.call.Instead(protection.MapFlavors, b.doc.FlavorID)
	id := protection.First(asked, b.doc.FlavorID)
	there, err := b.there(ctx, "flavors", id)
	switch {
	case err != nil:
		return "", err
	case !there:
		return "", karbor.Errorf(karbor.Invalid, "there is no flavor %q for the database instance that takes the place of database instance %s: map it to another one (flavors)", id, b.call.Node.ID)
	case asked != "" && asked != b.doc.FlavorID:
		b.call.Mapped(fmt.Sprintf("The database instance has the flavor %q in the place of %q.", asked, b.doc.FlavorID))
	}
	return id, nil
}

// network gives the network to ask for, or "" for the cloud's choice.
func (b builder) network() string {
	if b.doc.NetworkID == "" {
		return ""
	}
	asked := b.call.Instead(protection.MapNetworks, b.doc.NetworkID)
	if asked != "" && asked != b.doc.NetworkID {
		b.call.Mapped(fmt.Sprintf("The database instance is on network %q in the place of %q.", asked, b.doc.NetworkID))
	}
	return protection.First(asked, b.doc.NetworkID)
}

// there reports whether Trove has a thing of a kind.
func (b builder) there(ctx context.Context, kind, id string) (bool, error) {
	if strings.ContainsAny(id, "/?#%") || id == "." || id == ".." {
		return false, nil
	}
	_, err := b.client.Get(ctx, b.client.ServiceURL(kind, id), nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if openstack.IsNotFound(err) {
		return false, nil
	}
	return err == nil, openstack.Explain(err, "looking for %s %s", kind, id)
}

// await waits until an instance that the hooks made runs.
func (b builder) await(ctx context.Context, id string) (*database.Instance, error) {
	ctx, cancel := b.waits.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("database instance %s, made for database instance %s", id, b.call.Node.ID)
	var instance *database.Instance
	err := openstack.Poll(ctx, what, b.waits.Longest, func(ctx context.Context) (bool, error) {
		i, err := database.Get(ctx, b.client, b.call.Cloud, id)
		if err != nil {
			return false, err
		}
		instance = i
		switch {
		case database.Ready(i.Status):
			return true, nil
		case !database.Unfit(i.Status):
			return false, openstack.Still("in state %q", i.Status)
		}
		reason := strings.Join(strings.Fields(i.Fault.Message), " ")
		if runes := []rune(reason); len(runes) > longest {
			reason = string(runes[:longest]) + "…"
		}
		return false, karbor.Errorf(karbor.Conflict, "%s went into state %q in the cloud: %s", what, i.Status, protection.First(reason, "it gives no reason"))
	})
	return instance, err
}

// finish tells the tenant what the new instance has not of the original, and gives it its
// name.
func (b builder) finish(ctx context.Context, i *database.Instance) error {
	if b.doc.ReplicaOf != "" {
		b.call.NotKept(fmt.Sprintf("That it is a replica of database instance %s: it is one of its own.", b.doc.ReplicaOf))
	}
	if len(b.doc.Replicas) > 0 {
		b.call.NotKept(fmt.Sprintf("The replicas of the database instance, %d.", len(b.doc.Replicas)))
	}
	if was, is := b.doc.Access, i.Access; was.Public != is.Public || !slices.Equal(was.CIDRs, is.CIDRs) {
		b.call.NotKept("Who may reach the database instance: look at its access.")
	}
	name := b.call.RestoredName(protection.Described(b.doc.Name))
	if name == "" { // Trove has no instance without one
		name = "database " + b.call.Node.ID
		b.call.NotKept(fmt.Sprintf("The name of the database instance, which another restore had not given it when it was protected: it is named %q.", name))
	}
	if i.Name == name {
		return nil
	}
	response, err := b.client.Patch(ctx, b.client.ServiceURL("instances", i.ID), map[string]any{"instance": map[string]any{"name": name}}, nil,
		&gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted, http.StatusOK}})
	if err != nil {
		return busy(err, "naming database instance %s, made for database instance %s", i.ID, b.call.Node.ID)
	}
	return response.Body.Close()
}

// undoRestore is the Undo hook of restore.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || !record.Begun {
		return err
	}
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return err
	}
	b := builder{client: client, call: call, waits: r.waits}
	ids, err := b.find(ctx)
	if err != nil {
		return err
	}
	if record.Instance != "" && !slices.Contains(ids, record.Instance) {
		ids = append(ids, record.Instance)
	}
	limited, cancel := r.waits.Within(ctx)
	defer cancel()
	for _, id := range ids {
		if err := b.drop(limited, id); err != nil {
			return err
		}
	}
	return nil
}

func (b builder) drop(ctx context.Context, id string) error {
	return b.waits.Remove(ctx, fmt.Sprintf("database instance %s, made for database instance %s", id, b.call.Node.ID), openstack.Removal{
		State: func(ctx context.Context) (string, error) {
			i, err := database.Get(ctx, b.client, b.call.Cloud, id)
			switch {
			case err != nil:
				return "", err
			case i.Status == "SHUTDOWN":
				return "deleting", nil
			case database.Unfit(i.Status):
				return "error", nil
			case database.Ready(i.Status):
				return "available", nil
			}
			return i.Status, nil
		},
		Drop: func(ctx context.Context) error {
			response, err := b.client.Delete(ctx, b.client.ServiceURL("instances", id), &gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted, http.StatusNoContent}})
			if err != nil {
				return err
			}
			return response.Body.Close()
		},
	})
}

// preflight is the Preflight hook of restore.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := openstack.Database(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	b := builder{client: client, call: call, doc: doc, waits: r.waits}
	if err := f.Look(ctx, "Verify the checkpoint, and restore another one.", func(ctx context.Context) error { return sound(ctx, call, &doc) }); err != nil {
		return nil, err
	}
	err = f.Look(ctx, "Map the flavor (flavors).", func(ctx context.Context) error {
		_, err := b.request(ctx)
		return err
	})
	return f, err
}
