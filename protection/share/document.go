package share

import (
	"context"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shareaccessrules"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/shares"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// documentKey is the key of the document about the share.
const documentKey = "metadata"

// document is what is kept of a share beside its snapshot. It lies in the bank:
// members are only ever added.
type document struct {
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	Size             int               `json:"size"` // GiB
	ShareProto       string            `json:"share_proto"`
	ShareTypeName    string            `json:"share_type_name"`
	ShareNetworkID   string            `json:"share_network_id"`
	AvailabilityZone string            `json:"availability_zone"`
	IsPublic         bool              `json:"is_public"`
	HasReplicas      bool              `json:"has_replicas"`
	ShareGroupID     string            `json:"share_group_id"`
	Metadata         map[string]string `json:"metadata"`
	AccessRules      []accessRule      `json:"access_rules"`
	// SnapshotID is the snapshot that a restore makes a share of.
	SnapshotID string `json:"snapshot_id"`
	// SnapshotName and SnapshotDescription are the plan's parameters.
	SnapshotName        string `json:"snapshot_name"`
	SnapshotDescription string `json:"snapshot_description"`
}

// accessRule says who may mount the share.
type accessRule struct {
	AccessType  string `json:"access_type"`
	AccessTo    string `json:"access_to"`
	AccessLevel string `json:"access_level"`
}

// oldest is the minor microversion that is needed: access rules are listed since 2.45.
const oldest = 45

// connect gives a client of Manila.
func connect(ctx context.Context, call *protection.Call) (*gophercloud.ServiceClient, error) {
	client, err := openstack.SharedFileSystems(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	_, text, _ := strings.Cut(client.Microversion, ".")
	if minor, _ := strconv.Atoi(text); minor < oldest {
		return nil, karbor.Errorf(karbor.NotImplemented, "the cloud's shared file systems offer no microversion 2.%d, which Karbor needs", oldest)
	}
	return client, nil
}

// original gives the call's share.
func original(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (*shares.Share, error) {
	s, err := shares.Get(ctx, client, call.Node.ID).Extract()
	if err == nil && s.ProjectID != call.Cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no share %s", call.Node.ID)
	}
	return s, openstack.Explain(err, "reading share %s", call.Node.ID)
}

// unfit tells why a share can't be protected and restored, and will not be fit for it by itself.
func unfit(s *shares.Share) error {
	switch {
	case !s.SnapshotSupport:
		return karbor.Errorf(karbor.Invalid, "share %s can't be protected: its share type %q has no snapshots", s.ID, s.ShareTypeName)
	case !s.CreateShareFromSnapshotSupport:
		return karbor.Errorf(karbor.Invalid, "share %s can't be protected: its share type %q makes no new shares of snapshots, so that it could not be restored", s.ID, s.ShareTypeName)
	case s.Status == "deleting" || s.Status == "inactive" || strings.Contains(s.Status, "error"):
		return karbor.Errorf(karbor.Conflict, "share %s is in state %q and can't be protected", s.ID, s.Status)
	}
	return nil
}

// inspect describes the call's share, if it can be protected and restored.
func inspect(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) (*document, error) {
	s, err := original(ctx, client, call)
	if err != nil {
		return nil, err
	}
	if err := unfit(s); err != nil {
		return nil, err
	}
	if s.Status != "available" {
		return nil, karbor.Transientf("share %s is in state %q and can't be snapshotted now", s.ID, s.Status)
	}
	d := &document{
		Name: s.Name, Description: s.Description, Size: s.Size, ShareProto: s.ShareProto, ShareTypeName: s.ShareTypeName,
		ShareNetworkID: s.ShareNetworkID, AvailabilityZone: s.AvailabilityZone, IsPublic: s.IsPublic, HasReplicas: s.HasReplicas,
		ShareGroupID: s.ShareGroupID, Metadata: protection.Untagged(s.Metadata),
		SnapshotName: call.Text("snapshot_name"), SnapshotDescription: call.Text("description"),
	}
	rules, err := rulesOf(ctx, client, s.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		d.AccessRules = append(d.AccessRules, accessRule{AccessType: r.AccessType, AccessTo: r.AccessTo, AccessLevel: r.AccessLevel})
	}
	return d, nil
}

// rulesOf lists a share's access rules.
func rulesOf(ctx context.Context, client *gophercloud.ServiceClient, id string) ([]shareaccessrules.ShareAccess, error) {
	rules, err := shareaccessrules.List(ctx, client, id).Extract()
	return rules, openstack.Explain(err, "listing the access rules of share %s", id)
}
