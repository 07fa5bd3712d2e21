package share

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shares"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Share string `json:"share,omitempty"`
}

// restore is the Main hook of restore: a new share of the snapshot, with the
// original's access rules.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
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
	if record.Share == "" {
		if record.Share, err = ensureShare(ctx, client, call, doc); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	share, err := r.awaitShare(ctx, client, call, record.Share)
	if err != nil {
		return err
	}
	tell(call, doc, share)
	if err := r.allow(ctx, client, call, doc.AccessRules, record.Share); err != nil {
		return err
	}
	if err := finish(ctx, client, share); err != nil {
		return err
	}
	return call.NewResources.Set(ctx, record.Share)
}

// finish takes from a share that is whole the tag of one that is not.
func finish(ctx context.Context, client *gophercloud.ServiceClient, share *shares.Share) error {
	if _, marked := share.Metadata[protection.RestoringTag]; !marked {
		return nil
	}
	err := shares.DeleteMetadatum(ctx, client, share.ID, protection.RestoringTag).ExtractErr()
	if openstack.IsNotFound(err) {
		return nil // its tenant has taken it away meanwhile
	}
	return openstack.Explain(err, "taking the tag of what is not restored yet from share %s", share.ID)
}

// tell tells the tenant what the new share has not of the original.
func tell(call *protection.Call, doc document, now *shares.Share) {
	for _, m := range []struct{ what, was, is string }{
		{"share type", doc.ShareTypeName, now.ShareTypeName}, {"share network", doc.ShareNetworkID, now.ShareNetworkID},
		{"availability zone", doc.AvailabilityZone, now.AvailabilityZone},
	} {
		if m.was != m.is {
			call.NotKept(fmt.Sprintf("The %s %q: the cloud made the share of the snapshot with %q.", m.what, m.was, m.is))
		}
	}
	if doc.IsPublic && !now.IsPublic {
		call.NotKept("The share is seen by its project only: making it public needs an administrator.")
	}
	if doc.HasReplicas {
		call.NotKept("The replicas of the share.")
	}
	if doc.ShareGroupID != "" {
		call.NotKept("The share group of the share.")
	}
}

// ensureShare gives the share that takes the original's place, and asks for it if
// there is none. Manila gives it the type, network and zone of the snapshot's share.
func ensureShare(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (string, error) {
	options := shares.CreateOpts{
		Name: call.RestoredName(doc.Name), Description: protection.First(call.Text("restore_description"), doc.Description),
		ShareProto: doc.ShareProto, Size: doc.Size, SnapshotID: doc.SnapshotID, Metadata: map[string]string{},
	}
	maps.Copy(options.Metadata, doc.Metadata)
	maps.Copy(options.Metadata, call.RestoringTags())
	find := func(ctx context.Context) (string, error) {
		ids, err := findShares(ctx, client, call)
		return first(ids), err
	}
	id, err := openstack.Make(ctx, call, "share", find, func(ctx context.Context) (string, error) {
		if err := sound(ctx, call, &doc); err != nil {
			return "", err
		}
		s, err := shares.Create(ctx, client, options).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating the share that takes the place of share %s", call.Node.ID)
		}
		return s.ID, nil
	})
	return id, lacking(ctx, call, err, "the share", needs(doc.ShareTypeName, protection.NeedShares, protection.NeedShareGigabytes, doc.Size))
}

// findShares gives the ids of the shares that the call's hooks made.
func findShares(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := openstack.AllPages(ctx, shares.ListDetail(client, shares.ListOpts{Metadata: call.Tags(), Limit: pageSize}), shares.ExtractShares)
	if err != nil {
		return nil, openstack.Explain(err, "looking for the shares made for share %s", call.Node.ID)
	}
	var ids []string
	for i := range all {
		s := &all[i]
		if call.Tagged(s.Metadata) && s.ProjectID == call.Cloud.ProjectID() && !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// awaitShare waits until a share that the hooks made is available.
func (r *room) awaitShare(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) (*shares.Share, error) {
	ctx, cancel := r.waits.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("share %s, made for share %s", id, call.Node.ID)
	var share *shares.Share
	err := openstack.Poll(ctx, what, r.waits.Longest, func(ctx context.Context) (bool, error) {
		s, err := shares.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		share = s
		switch s.Status {
		case "available":
			return true, nil
		case "creating", "creating_from_snapshot":
			return false, openstack.Still("in state %q", s.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, s.Status)
		}
	})
	return share, err
}

// allow gives a restored share the original's access rules, and waits until they hold.
func (r *room) allow(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, rules []accessRule, id string) error {
	if len(rules) == 0 {
		return nil
	}
	there, err := allowed(ctx, client, id)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		if there[rule.who()] {
			continue
		}
		_, err := shares.GrantAccess(ctx, client, id, shares.GrantAccessOpts{
			AccessType: rule.AccessType, AccessTo: rule.AccessTo, AccessLevel: rule.AccessLevel,
		}).Extract()
		switch err = openstack.Explain(err, "letting %s %s access share %s", rule.AccessType, rule.AccessTo, id); {
		case err == nil:
		case karbor.KindOf(err) == karbor.Invalid || karbor.KindOf(err) == karbor.Forbidden:
			// The cloud may have made it belatedly for an earlier run.
			if there, err = allowed(ctx, client, id); err != nil {
				return err
			}
			if !there[rule.who()] {
				call.NotKept(fmt.Sprintf("The access rule for %s %s: the cloud refuses it.", rule.AccessType, rule.AccessTo))
				continue
			}
		default:
			return err
		}
		if rule.AccessType == "cephx" {
			call.NotKept(fmt.Sprintf("The access key of %s: Manila gives a new one.", rule.AccessTo))
		}
	}
	return r.awaitRules(ctx, client, call, id)
}

// who is a rule's type and whom it speaks of: a share has one rule for each.
func (a accessRule) who() string { return a.AccessType + " " + a.AccessTo }

// allowed tells who is spoken of by a share's access rules.
func allowed(ctx context.Context, client *gophercloud.ServiceClient, id string) (map[string]bool, error) {
	rules, err := rulesOf(ctx, client, id)
	there := make(map[string]bool, len(rules))
	for _, r := range rules {
		there[accessRule{AccessType: r.AccessType, AccessTo: r.AccessTo}.who()] = true
	}
	return there, err
}

// awaitRules waits until no access rule of a share is being applied.
func (r *room) awaitRules(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	ctx, cancel := r.waits.Within(ctx)
	defer cancel()
	what := "the access rules of share " + id
	var failed []string // at the last look
	err := openstack.Poll(ctx, what, r.waits.Longest, func(ctx context.Context) (bool, error) {
		rules, err := rulesOf(ctx, client, id)
		if err != nil {
			return false, err
		}
		var pending error
		failed = nil
		for _, rule := range rules {
			switch rule.State {
			case "active":
			case "error":
				failed = append(failed, fmt.Sprintf("The access rule for %s %s: the cloud could not apply it.", rule.AccessType, rule.AccessTo))
			default:
				pending = openstack.Still("in state %q for %s %s", rule.State, rule.AccessType, rule.AccessTo)
			}
		}
		return pending == nil, pending
	})
	if err != nil {
		return err
	}
	for _, sentence := range failed {
		call.NotKept(sentence)
	}
	return nil
}

// undoRestore is the Undo hook of restore.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	ids, err := findShares(ctx, client, call)
	if err != nil {
		return err
	}
	if record.Share != "" && !slices.Contains(ids, record.Share) {
		ids = append(ids, record.Share)
	}
	limited, cancel := r.waits.Within(ctx)
	defer cancel()
	for _, id := range ids {
		err := r.waits.Remove(limited, fmt.Sprintf("share %s, made for share %s", id, call.Node.ID), openstack.Removal{
			State: func(ctx context.Context) (string, error) {
				s, err := shares.Get(ctx, client, id).Extract()
				if err != nil {
					return "", err
				}
				return s.Status, nil
			},
			Drop: func(ctx context.Context) error { return shares.Delete(ctx, client, id).ExtractErr() },
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sound looks whether the snapshot that a document names can be restored: it is there,
// available, of this share, and of the right size.
func sound(ctx context.Context, call *protection.Call, d *document) error {
	if d.SnapshotID == "" || d.Size <= 0 || d.ShareProto == "" {
		return karbor.Errorf(karbor.Internal, "its document names no snapshot, or no size or protocol of the share")
	}
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	s, err := snapshots.Get(ctx, client, d.SnapshotID).Extract()
	switch {
	case openstack.IsNotFound(err):
		return karbor.Errorf(karbor.Conflict, "its snapshot %s is not in this project of this cloud: it was deleted, or the checkpoint was made elsewhere", d.SnapshotID)
	case err != nil:
		return openstack.Explain(err, "reading snapshot %s of share %s", d.SnapshotID, call.Node.ID)
	case s.ShareID != call.Node.ID:
		return karbor.Errorf(karbor.Internal, "its snapshot %s is of another share", d.SnapshotID)
	case s.Size != d.Size:
		return karbor.Errorf(karbor.Internal, "its snapshot %s has %d GiB, and its document says %d", d.SnapshotID, s.Size, d.Size)
	case s.Status == "creating":
		return karbor.Transientf("its snapshot %s is in state %q", d.SnapshotID, s.Status)
	case s.Status != "available":
		return karbor.Errorf(karbor.Conflict, "its snapshot %s is in state %q", d.SnapshotID, s.Status)
	}
	return nil
}
