package openstack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// shareNeeds are the quotas of Manila that an operation may use.
var shareNeeds = []protection.Need{
	protection.NeedShares, protection.NeedShareGigabytes, protection.NeedShareSnapshots, protection.NeedShareSnapshotGigabytes,
}

// The microversions since which Manila has quotas for single share types, and one for the size of a share. It refuses to
// be asked for the first in an older one.
const (
	ownQuotasOfTypes = "2.39"
	quotaOfShareSize = "2.62"
)

// offers reports whether a client's service is asked in a microversion as new.
func offers(client *gophercloud.ServiceClient, microversion string) bool {
	return !parseMicroversion(client.Microversion).less(parseMicroversion(microversion))
}

// shareRoom reads the quotas of Manila: those of the project, and those that it has for the
// types of the needs. A type without a quota of its own is told with the project's limit, and
// its use is a part of the project's: so only a smaller limit says more than the project's.
// A Manila that knows no quotas of types has only the project's.
func shareRoom(ctx context.Context, c karbor.Cloud, needs []protection.Need, out map[protection.Need]headroom) error {
	client, err := SharedFileSystems(ctx, c)
	if err != nil {
		return err
	}
	var l limits
	if err := readIfTold(ctx, client, client.ServiceURL("limits"), &l); err != nil {
		return explain(err, "reading the limits of the %s service", shareService.name)
	}
	l.into(out, protection.NeedShares, "maxTotalShares", "totalSharesUsed")
	l.into(out, protection.NeedShareGigabytes, "maxTotalShareGigabytes", "totalShareGigabytesUsed")
	l.into(out, protection.NeedShareSnapshots, "maxTotalShareSnapshots", "totalShareSnapshotsUsed")
	l.into(out, protection.NeedShareSnapshotGigabytes, "maxTotalSnapshotGigabytes", "totalSnapshotGigabytesUsed")
	if !offers(client, ownQuotasOfTypes) {
		return nil
	}
	types := map[string]shareQuotas{}
	for _, n := range needs {
		if n.ShareType == "" || !slices.Contains(shareNeeds, n.OfShareType("")) {
			continue
		}
		quotas, read := types[n.ShareType]
		if !read {
			if quotas, err = readShareQuotas(ctx, client, c.ProjectID(), n.ShareType); err != nil {
				return err
			}
			types[n.ShareType] = quotas
		}
		room, told := quotas.room(n.Quota)
		of, bounded := out[n.OfShareType("")]
		if told && (!bounded || of.limit < 0 || room.limit < of.limit) {
			out[n] = room
		}
	}
	return nil
}

// Largest tells the most that a quota of the session's project allows a single thing to have, for one that bounds each thing
// by itself; below 0 where there is no such limit, or the cloud does not tell it. It is one request each time. Manila has one
// for its shares, in GiB, since microversion 2.62.
func Largest(ctx context.Context, c karbor.Cloud, what protection.Need) (int64, error) {
	if what != protection.NeedShareSize {
		return -1, nil
	}
	client, err := SharedFileSystems(ctx, c)
	if karbor.KindOf(err) == karbor.NotImplemented {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	if !offers(client, quotaOfShareSize) {
		return -1, nil
	}
	quotas, err := readShareQuotas(ctx, client, c.ProjectID(), "")
	if err != nil {
		return 0, err
	}
	if room, told := quotas.room(what.Quota); told {
		return room.limit, nil
	}
	return -1, nil
}

// shareQuotas are the quotas of a project by their names in Manila, among other members.
type shareQuotas map[string]json.RawMessage

// readShareQuotas reads a project's quotas for shares of a type, or for all if kind is ""; none
// if Manila does not tell them.
func readShareQuotas(ctx context.Context, client *gophercloud.ServiceClient, project, kind string) (shareQuotas, error) {
	place := client.ServiceURL("quota-sets", project, "detail")
	if kind != "" {
		place += "?" + url.Values{"share_type": {kind}}.Encode()
	}
	var answer struct {
		Quotas shareQuotas `json:"quota_set"`
	}
	err := readIfTold(ctx, client, place, &answer)
	return answer.Quotas, explain(err, "reading the quotas of the %s service", shareService.name)
}

// room gives how much of a quota there is, and whether that was told.
func (q shareQuotas) room(name string) (headroom, bool) { return roomOf(q[name]) }

// roomOf reads a quota as Cinder and Manila show it with its use, and says whether it was told.
func roomOf(text json.RawMessage) (headroom, bool) {
	var one struct {
		Limit    *int64 `json:"limit"`
		Used     int64  `json:"in_use"`
		Reserved int64  `json:"reserved"`
	}
	if json.Unmarshal(text, &one) != nil || one.Limit == nil {
		return headroom{}, false
	}
	return headroom{*one.Limit, one.Used + one.Reserved}, true
}

// readIfTold reads a document that a service may withhold from members, or not have: then
// answer stays as it is.
func readIfTold(ctx context.Context, client *gophercloud.ServiceClient, place string, answer any) error {
	_, err := client.Get(ctx, place, answer, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	if saysNothing(err) {
		return nil
	}
	return err
}
