// Package dnszone is an example for the authors of plug-ins: a whole one for the DNS zones of Designate,
// with a protectable plug-in that finds them and a protection plug-in that keeps a zone and its record
// sets in the bank. No program links it; docs/plugin-authors walks through it. In the tree of a plug-in
// that is served, the two are a folder each: protectable/zone and protection/zone.
//
// It keeps what makes a zone answer: its name, settings and record sets. It does not keep who else may
// use the zone (shares, transfers). Source: the DNS API v2.
package dnszone

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/recordsets"
	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/zones"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// Type is the resource type of a zone. One that is served stands in the root package, beside the others.
const Type karbor.ResourceType = "OS::Designate::Zone"

// pageSize is how many things are asked for at once.
const pageSize = 500

// ownZones gives the zones of the session's project. An administrator's session may see others', too.
func ownZones(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud) ([]zones.Zone, error) {
	all, err := openstack.AllPages(ctx, zones.List(client, zones.ListOpts{Limit: pageSize}), zones.ExtractZones)
	if err != nil {
		return nil, openstack.Explain(err, "listing the DNS zones")
	}
	seen, own := map[string]bool{}, []zones.Zone{}
	for _, z := range all {
		if z.ProjectID == cloud.ProjectID() && !seen[z.ID] {
			seen[z.ID] = true // a list that changes while it is read may have a zone twice
			own = append(own, z)
		}
	}
	return own, nil
}

// ownZone gives one zone of the session's project, and karbor.NotFound for another's.
func ownZone(ctx context.Context, client *gophercloud.ServiceClient, cloud karbor.Cloud, id string) (*zones.Zone, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such DNS zone")
	}
	z, err := zones.Get(ctx, client, id).Extract()
	if openstack.IsNotFound(err) || err == nil && z.ProjectID != cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no DNS zone %s", id)
	}
	return z, openstack.Explain(err, "reading DNS zone %s", id)
}

// unfit says why a zone can't be protected; nil for one that can.
func unfit(z *zones.Zone) error {
	switch {
	case leaving(z):
		return karbor.Errorf(karbor.Conflict, "DNS zone %s is being deleted, and can't be protected", z.ID)
	case z.Type == "SECONDARY":
		return karbor.Errorf(karbor.Conflict, "DNS zone %s is a copy of the one on its masters, and can't be protected: protect it there", z.ID)
	}
	return nil
}

// leaving reports whether a zone is being deleted.
func leaving(z *zones.Zone) bool { return z.Action == "DELETE" || z.Status == "DELETED" }

// recordSetsOf gives the record sets of a zone.
func recordSetsOf(ctx context.Context, client *gophercloud.ServiceClient, zone string) ([]recordsets.RecordSet, error) {
	all, err := openstack.AllPages(ctx, recordsets.ListByZone(client, zone, recordsets.ListOpts{Limit: pageSize}), recordsets.ExtractRecordSets)
	return all, openstack.Explain(err, "listing the record sets of DNS zone %s", zone)
}
