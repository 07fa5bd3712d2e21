package openstack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Shortages gives a sentence, without its end, for each quota that does not suffice for what is needed of it in the
// session's project. who is what needs it, such as "the restore". Quotas that the cloud does not tell suffice.
func Shortages(ctx context.Context, c karbor.Cloud, who string, needs map[protection.Need]int64) ([]string, error) {
	sorted := slices.SortedFunc(maps.Keys(needs), func(a, b protection.Need) int { return strings.Compare(a.String(), b.String()) })
	rooms, err := headrooms(ctx, c, sorted)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, need := range sorted {
		room, told := rooms[need]
		if !told || room.limit < 0 || needs[need] <= room.left() {
			continue
		}
		if part := needs[need.OfSnapshots()]; part > 0 && needs[need]-part <= room.left() {
			counted, err := snapshotsCount(ctx, c, rooms[protection.NeedGigabytes].used)
			if err != nil {
				return nil, err
			}
			if !counted {
				continue
			}
		}
		out = append(out, fmt.Sprintf("the quota %s does not suffice: %s needs %d, and %d of %d are left", need, who, needs[need], room.left(), room.limit))
	}
	return out, nil
}

// headroom is how much of a quota a project has, and has used. A limit below 0 is none.
type headroom struct{ limit, used int64 }

// left is what may still be used; it is only for a quota that has a limit.
func (h headroom) left() int64 { return max(0, h.limit-h.used) }

// networkNeeds are the quotas of Neutron that an operation may use.
var networkNeeds = []protection.Need{
	protection.NeedNetworks, protection.NeedSubnets, protection.NeedRouters, protection.NeedPorts,
	protection.NeedFloatingIPs, protection.NeedSecurityGroups,
}

// headrooms tells what the session's project may still use of the quotas that are
// needed. Only services are asked that have any of these. Those of services that are not
// there, and those that the cloud does not tell a tenant, are not in it: Neutron shows its
// use only where the extension quota_details is on.
func headrooms(ctx context.Context, c karbor.Cloud, needs []protection.Need) (map[protection.Need]headroom, error) {
	out := map[protection.Need]headroom{}
	for _, s := range []struct {
		has  []protection.Need
		read func(context.Context, karbor.Cloud, map[protection.Need]headroom) error
	}{
		{[]protection.Need{protection.NeedInstances, protection.NeedCores, protection.NeedMemory}, computeRoom},
		{volumeNeeds, func(ctx context.Context, c karbor.Cloud, out map[protection.Need]headroom) error {
			return volumeRoom(ctx, c, needs, out)
		}},
		{networkNeeds, networkRoom},
		{shareNeeds, func(ctx context.Context, c karbor.Cloud, out map[protection.Need]headroom) error {
			return shareRoom(ctx, c, needs, out)
		}},
	} {
		if !slices.ContainsFunc(needs, func(n protection.Need) bool { return slices.Contains(s.has, n.OfAllTypes()) }) {
			continue
		}
		if err := s.read(ctx, c, out); err != nil && karbor.KindOf(err) != karbor.NotImplemented {
			return nil, err
		}
	}
	return out, nil
}

// limits is the answer of GET /limits of Nova, Cinder and Manila.
type limits struct {
	Limits struct {
		Absolute map[string]json.Number `json:"absolute"`
	} `json:"limits"`
}

func (l limits) into(out map[protection.Need]headroom, need protection.Need, limit, used string) {
	most, err := l.Limits.Absolute[limit].Int64()
	now, failed := l.Limits.Absolute[used].Int64()
	if err == nil && failed == nil {
		out[need] = headroom{most, now}
	}
}

func readLimits(ctx context.Context, client *gophercloud.ServiceClient, what string) (limits, error) {
	var l limits
	_, err := client.Get(ctx, client.ServiceURL("limits"), &l, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	return l, explain(err, "reading the limits of the %s service", what)
}

func computeRoom(ctx context.Context, c karbor.Cloud, out map[protection.Need]headroom) error {
	client, err := Compute(ctx, c)
	if err != nil {
		return err
	}
	l, err := readLimits(ctx, client, computeService.name)
	if err != nil {
		return err
	}
	l.into(out, protection.NeedInstances, "maxTotalInstances", "totalInstancesUsed")
	l.into(out, protection.NeedCores, "maxTotalCores", "totalCoresUsed")
	l.into(out, protection.NeedMemory, "maxTotalRAMSize", "totalRAMUsed")
	return nil
}

func networkRoom(ctx context.Context, c karbor.Cloud, out map[protection.Need]headroom) error {
	client, err := Network(ctx, c)
	if err != nil {
		return err
	}
	var answer struct {
		Quota map[string]json.RawMessage `json:"quota"`
	}
	if err := readIfTold(ctx, client, client.ServiceURL("quotas", c.ProjectID(), "details.json"), &answer); err != nil {
		return explain(err, "reading the quotas of the network service")
	}
	for _, need := range networkNeeds {
		var q struct {
			Limit    *int64 `json:"limit"`
			Used     int64  `json:"used"`
			Reserved int64  `json:"reserved"`
		}
		if json.Unmarshal(answer.Quota[need.Quota], &q) == nil && q.Limit != nil {
			out[need] = headroom{*q.Limit, q.Used + q.Reserved}
		}
	}
	return nil
}
