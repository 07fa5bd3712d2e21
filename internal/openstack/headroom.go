package openstack

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Headroom is how much of a quota a project has, and has used. A Limit below 0 is none.
type Headroom struct{ Limit, Used int64 }

// Left is what may still be used; it is only for a quota that has a limit.
func (h Headroom) Left() int64 { return max(0, h.Limit-h.Used) }

// Headrooms tells what the session's project may still use of each quota that a restore
// uses. Those of services that are not there, and those that the cloud does not tell a
// tenant, are not in it: Neutron shows its use only where the extension quota_details is
// on.
func Headrooms(ctx context.Context, c karbor.Cloud) (map[protection.Need]Headroom, error) {
	out := map[protection.Need]Headroom{}
	for _, read := range []func(context.Context, karbor.Cloud, map[protection.Need]Headroom) error{computeRoom, volumeRoom, networkRoom} {
		if err := read(ctx, c, out); err != nil && karbor.KindOf(err) != karbor.NotImplemented {
			return nil, err
		}
	}
	return out, nil
}

// limits is the answer of GET /limits of Nova and of Cinder.
type limits struct {
	Limits struct {
		Absolute map[string]json.Number `json:"absolute"`
	} `json:"limits"`
}

func (l limits) into(out map[protection.Need]Headroom, need protection.Need, limit, used string) {
	most, err := l.Limits.Absolute[limit].Int64()
	now, failed := l.Limits.Absolute[used].Int64()
	if err == nil && failed == nil {
		out[need] = Headroom{most, now}
	}
}

func readLimits(ctx context.Context, client *gophercloud.ServiceClient, what string) (limits, error) {
	var l limits
	_, err := client.Get(ctx, client.ServiceURL("limits"), &l, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}})
	return l, explain(err, "reading the limits of the %s service", what)
}

func computeRoom(ctx context.Context, c karbor.Cloud, out map[protection.Need]Headroom) error {
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

func volumeRoom(ctx context.Context, c karbor.Cloud, out map[protection.Need]Headroom) error {
	client, err := BlockStorage(ctx, c)
	if err != nil {
		return err
	}
	l, err := readLimits(ctx, client, blockStorageService.name)
	if err != nil {
		return err
	}
	l.into(out, protection.NeedVolumes, "maxTotalVolumes", "totalVolumesUsed")
	l.into(out, protection.NeedGigabytes, "maxTotalVolumeGigabytes", "totalGigabytesUsed")
	return nil
}

func networkRoom(ctx context.Context, c karbor.Cloud, out map[protection.Need]Headroom) error {
	client, err := Network(ctx, c)
	if err != nil {
		return err
	}
	var answer struct {
		Quota map[string]json.RawMessage `json:"quota"`
	}
	_, err = client.Get(ctx, client.ServiceURL("quotas", c.ProjectID(), "details.json"), &answer, nil)
	if saysNothing(err) {
		return nil
	}
	if err != nil {
		return explain(err, "reading the quotas of the network service")
	}
	for _, need := range []protection.Need{
		protection.NeedNetworks, protection.NeedSubnets, protection.NeedRouters, protection.NeedPorts,
		protection.NeedFloatingIPs, protection.NeedSecurityGroups,
	} {
		var q struct {
			Limit    *int64 `json:"limit"`
			Used     int64  `json:"used"`
			Reserved int64  `json:"reserved"`
		}
		if json.Unmarshal(answer.Quota[string(need)], &q) == nil && q.Limit != nil {
			out[need] = Headroom{*q.Limit, q.Used + q.Reserved}
		}
	}
	return nil
}
