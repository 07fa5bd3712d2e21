package dnszone

import (
	"context"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/quotas"
	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/zones"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// preflight is the Preflight hook of restore. It looks, and changes nothing. That another project has a
// zone of this name, nobody can tell before the cloud is asked for it.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := openstack.DNS(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	var doc document
	var sets []recordSet
	whole := func(ctx context.Context) (err error) {
		doc, sets, err = readKept(ctx, call)
		return err
	}
	if err := f.Look(ctx, "Verify the checkpoint, and restore another one.", whole); err != nil || len(f.Findings) > 0 {
		return f, err // without the document there is nothing more to look for
	}
	moved(call, doc, sets) // it tells of another name
	own, err := ownZones(ctx, client, call.Cloud)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		remedy string
		look   func(context.Context) error
	}{
		{otherName, func(context.Context) error { return free(own, newName(call, doc)) }},
		{"Have the quota raised, or restore without this zone.", func(ctx context.Context) error { return fits(ctx, client, call, len(own), len(sets)) }},
	} {
		if err := f.Look(ctx, part.remedy, part.look); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// free looks whether a name is free in the project.
func free(own []zones.Zone, name string) error {
	if slices.ContainsFunc(own, func(z zones.Zone) bool { return z.Name == name }) {
		return karbor.Errorf(karbor.Conflict, "there is a DNS zone %s already", name)
	}
	return nil
}

// fits looks whether the project may have one zone more, and as many record sets in it.
func fits(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, own, sets int) error {
	q, err := quotas.Get(ctx, client, call.Cloud.ProjectID()).Extract()
	err = openstack.Explain(err, "reading the quotas of the DNS service")
	switch kind := karbor.KindOf(err); {
	case err != nil && (kind == karbor.Forbidden || kind == karbor.NotFound):
		return nil // the cloud does not tell a tenant
	case err != nil:
		return err
	case q.Zones >= 0 && own >= q.Zones:
		return karbor.Errorf(karbor.OverLimit, "the quota \"zones\" does not suffice: %d of %d are used", own, q.Zones)
	case q.ZoneRecordsets >= 0 && sets > q.ZoneRecordsets:
		return karbor.Errorf(karbor.OverLimit, "the quota \"zone_recordsets\" does not suffice: the zone has %d record sets, and %d are allowed", sets, q.ZoneRecordsets)
	}
	return nil
}
