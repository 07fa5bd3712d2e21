package image

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Snapshot is the id of the server's snapshot image.
	Snapshot string `json:"snapshot,omitempty"`
	// Document describes the image whose bytes are kept.
	Document *document `json:"document,omitempty"`
}

// snapshots reports whether the call is for a server's disk.
func (r *room) snapshots(call *protection.Call) bool {
	return r.options.EnableServerSnapshot && call.Node.Role != ""
}

// snapshot is the PrepareFinish hook of protect. Nova quiesces the guest for as
// long as it takes the snapshot, if it can; the upload goes on behind it.
func (r *room) snapshot(ctx context.Context, call *protection.Call) error {
	if !r.snapshots(call) {
		return nil
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Snapshot != "" {
		return err
	}
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return err
	}
	find := func(ctx context.Context) (string, error) { return findImage(ctx, client, call, call.Name()) }
	record.Snapshot, err = openstack.Make(ctx, call, "snapshot", find, func(ctx context.Context) (string, error) {
		return createSnapshot(ctx, call)
	})
	if err != nil {
		return err
	}
	// How large it is, only the upload will tell.
	if err := call.Hold(ctx, protection.Holding{Kind: protection.HeldImage, ID: record.Snapshot}); err != nil {
		return err
	}
	return call.Scratch.Save(ctx, record)
}

// createSnapshot has Nova begin a snapshot of the server.
func createSnapshot(ctx context.Context, call *protection.Call) (string, error) {
	client, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return "", err
	}
	opts := servers.CreateImageOpts{Name: call.Name(), Metadata: call.TemporaryTags()}
	id, err := servers.CreateImage(ctx, client, call.Node.Role, opts).ExtractImageID()
	if err == nil {
		return id, nil
	}
	explained := openstack.Explain(err, "creating a snapshot of server %s", call.Node.Role)
	if !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		return "", explained
	}
	// A task of the server's passes; a state such as "ERROR" does not.
	server, err := servers.Get(ctx, client, call.Node.Role).Extract()
	if err != nil {
		return "", openstack.Explain(err, "reading server %s", call.Node.Role)
	}
	switch {
	case server.TaskState != "":
		return "", karbor.Transientf("server %s is in task state %q and can't be snapshotted now", server.ID, server.TaskState)
	case slices.Contains([]string{"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "BUILD"}, server.Status):
		return "", explained
	default:
		return "", karbor.Errorf(karbor.Conflict, "server %s is in state %q and can't be snapshotted", server.ID, server.Status)
	}
}

// findImage gives the id of one of findImages, or "".
func findImage(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, name string) (string, error) {
	made, err := findImages(ctx, client, call, name)
	if err != nil || len(made) == 0 {
		return "", err
	}
	return made[0].ID, nil
}

// findImages gives the images of a name, or of any if it is "", that the call's hooks made. Glance lists
// hidden images only to who asks for them, and then no others.
func findImages(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, name string) ([]images.Image, error) {
	var all []images.Image
	for _, hidden := range []bool{false, true} {
		some, err := openstack.AllPages(ctx, images.List(client, images.ListOpts{Name: name, Owner: call.Cloud.ProjectID(), Hidden: hidden}), images.ExtractImages)
		if err != nil {
			return nil, openstack.Explain(err, "looking for the images made for image %s", call.Node.ID)
		}
		all = append(all, some...)
	}
	var made []images.Image
	for _, i := range all {
		texts := map[string]string{}
		for k, v := range i.Properties {
			texts[k], _ = v.(string)
		}
		// The deterministic name is proof enough; any other name needs the tags.
		if (i.Name == name || name == "") && i.Owner == call.Cloud.ProjectID() && (name == call.Name() || call.Tagged(texts)) {
			made = append(made, i)
		}
	}
	return made, nil
}

// await waits until an image has its bytes.
func (r *room) await(ctx context.Context, client *gophercloud.ServiceClient, what, id string) (*images.Image, error) {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	var found *images.Image
	err := openstack.Poll(ctx, what, r.options.PollInterval, func(ctx context.Context) (bool, error) {
		i, err := images.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		found = i
		switch i.Status {
		case images.ImageStatusActive:
			return true, nil
		case images.ImageStatusQueued, images.ImageStatusSaving, images.ImageStatusUploading, images.ImageStatusImporting:
			return false, openstack.Still("in state %q", i.Status)
		case images.ImageStatusDeleted, images.ImageStatusPendingDelete:
			return false, karbor.Errorf(karbor.NotFound, "%s was deleted", what)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s is in state %q", what, i.Status)
		}
	})
	return found, err
}

// describeSource gives the document of what is kept: of the server's snapshot,
// or of the image itself. It waits until the bytes are there.
func (r *room) describeSource(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record protectRecord) (*document, error) {
	if record.Snapshot == "" {
		i, err := r.await(ctx, client, "image "+call.Node.ID, call.Node.ID)
		if err != nil {
			return nil, err
		}
		d := describe(i)
		return &d, check(ctx, call, i, d)
	}
	i, err := r.await(ctx, client, fmt.Sprintf("snapshot %s of server %s", record.Snapshot, call.Node.Role), record.Snapshot)
	if err != nil {
		return nil, err
	}
	const gib = 1 << 30
	held := protection.Holding{Kind: protection.HeldImage, ID: i.ID, GiB: (i.SizeBytes + gib - 1) / gib}
	if err := call.Hold(ctx, held); err != nil {
		return nil, err
	}
	d := describe(i)
	d.ServerSnapshot = true
	base, err := images.Get(ctx, client, call.Node.ID).Extract()
	switch {
	case openstack.IsNotFound(err):
		// The server outlives the image that it was made from.
		d.Name, d.Protected, d.Visibility = protection.First(call.Node.Name, "image of server "+call.Node.Role), false, "private"
	case err != nil:
		return nil, openstack.Explain(err, "reading image %s", call.Node.ID)
	default:
		d = d.withIdentity(describe(base))
	}
	return &d, check(ctx, call, i, d)
}

// check reports why the bytes of an image can't be protected, and keeps their key if they
// are encrypted.
func check(ctx context.Context, call *protection.Call, i *images.Image, d document) error {
	if i.SizeBytes == 0 && i.Properties["block_device_mapping"] != nil {
		return karbor.Errorf(karbor.Invalid, "image %s holds no bytes: it only refers to volume snapshots", call.Node.ID)
	}
	if d.Encrypted {
		// Before the bytes, so that whoever finds them finds the key, too.
		return keepKey(ctx, call, keyOf(i))
	}
	return nil
}
