package dnszone

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/recordsets"
	"github.com/gophercloud/gophercloud/v2/openstack/dns/v2/zones"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	Zone string `json:"zone,omitempty"`
}

// restore is the Main hook of restore.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.DNS(ctx, call.Cloud)
	if err != nil {
		return err
	}
	doc, sets, err := readKept(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Zone == "" {
		if record.Zone, err = ensureZone(ctx, client, call, doc); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if err := r.fill(ctx, client, call, record.Zone, moved(call, doc, sets)); err != nil {
		return err
	}
	if err := r.await(ctx, client, call, record.Zone); err != nil {
		return err
	}
	if err := finish(ctx, client, record.Zone, doc.Description); err != nil {
		return err
	}
	return call.NewResources.Set(ctx, record.Zone)
}

// newName is the name of the zone that a restore makes. Designate's names end with a dot; a tenant may
// leave it out.
func newName(call *protection.Call, doc document) string {
	return strings.TrimSuffix(protection.First(call.Text("restore_name"), doc.Name), ".") + "."
}

// moved gives the record sets as they are in the new zone.
func moved(call *protection.Call, doc document, sets []recordSet) []recordSet {
	name := newName(call, doc)
	if name == doc.Name {
		return sets
	}
	call.Mapped(fmt.Sprintf("The DNS zone %s became %s. What its records point at is as it was.", doc.Name, name))
	out := slices.Clone(sets)
	for i := range out {
		out[i].Name = strings.TrimSuffix(out[i].Name, doc.Name) + name
	}
	return out
}

// ensureZone gives the zone that takes the original's place, and asks for it if there is none. Until the
// restore is done with it, its description says so.
func ensureZone(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (string, error) {
	name := newName(call, doc)
	find := func(ctx context.Context) (string, error) {
		ids, err := madeZones(ctx, client, call)
		if err != nil || len(ids) == 0 {
			return "", err
		}
		return ids[0], nil
	}
	id, err := openstack.Make(ctx, call, "DNS zone", find, func(ctx context.Context) (string, error) {
		z, err := zones.Create(ctx, client, zones.CreateOpts{
			Name: name, Email: doc.Email, TTL: doc.TTL, Attributes: doc.Attributes, Type: "PRIMARY",
			Description: call.RestoringText(call.Name()),
		}).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating the DNS zone %s that takes the place of %s", name, call.Node.ID)
		}
		return z.ID, nil
	})
	if karbor.KindOf(err) == karbor.Conflict && !karbor.IsTransient(err) {
		return "", karbor.Errorf(karbor.Conflict, "%s; a cloud has a name only once. %s", karbor.Sentence(err), otherName)
	}
	return id, err
}

// otherName says what to do about a name that is taken.
const otherName = "Delete the zone of this name, or restore under another one, with the parameter restore_name."

// madeZones gives the ids of the zones that the call's hooks made, and are not done with.
func madeZones(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := ownZones(ctx, client, call.Cloud)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, z := range all {
		if slices.Contains(call.RestoringTexts(call.Name()), z.Description) {
			ids = append(ids, z.ID)
		}
	}
	return ids, nil
}

// fill gives a new zone the record sets. A zone has each name and type once, so that no request, however
// late it is carried out, makes one twice: it needs no Make. What comes after the zone is gone comes to
// nothing.
func (r *room) fill(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, zone string, sets []recordSet) error {
	there, err := recordSetsOf(ctx, client, zone)
	if err != nil {
		return err
	}
	for _, s := range sets {
		switch now := find(there, s); {
		case now == nil:
			err = r.add(ctx, client, call, zone, s)
		case s.Type == "NS" && !sameRecords(now.Records, s.Records):
			call.NotKept(fmt.Sprintf("The name servers of the DNS zone %s: the cloud serves it by %s. Have its parent zone point at these.",
				s.Name, strings.Join(now.Records, ", ")))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find gives the record set of a name and type; nil if it is not there.
func find(there []recordsets.RecordSet, s recordSet) *recordsets.RecordSet {
	at := slices.IndexFunc(there, func(o recordsets.RecordSet) bool { return o.Name == s.Name && o.Type == s.Type })
	if at < 0 {
		return nil
	}
	return &there[at]
}

// sameRecords compares records, whose order means nothing.
func sameRecords(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// add asks for a record set that is not there.
func (r *room) add(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, zone string, s recordSet) error {
	_, err := recordsets.Create(ctx, client, zone, recordsets.CreateOpts{
		Name: s.Name, Type: s.Type, TTL: s.TTL, Records: s.Records, Description: s.Description,
	}).Extract()
	err = openstack.Explain(err, "creating the record set %s %s in DNS zone %s", s.Name, s.Type, zone)
	if err == nil || karbor.IsTransient(err) {
		return err
	}
	switch kind := karbor.KindOf(err); {
	case kind == karbor.Conflict:
		// An earlier run may have asked for it, and died before the answer.
		there, unread := recordSetsOf(ctx, client, zone)
		if unread != nil {
			return unread
		}
		if find(there, s) != nil {
			return nil
		}
	case (kind == karbor.Invalid || kind == karbor.Forbidden) && r.asked(call) == Report:
		call.NotKept(fmt.Sprintf("The record set %s %s: the cloud does not take it.", s.Name, s.Type))
		return nil
	}
	return err
}

// asked says what is to be done with record sets that the cloud does not take.
func (r *room) asked(call *protection.Call) Refused {
	return Refused(protection.First(call.Text("refused_record_sets"), string(r.refused)))
}

// await waits until a new zone is served, with all that is in it.
func (r *room) await(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, zone string) error {
	ctx, cancel := r.waits.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("DNS zone %s, made for DNS zone %s", zone, call.Node.ID)
	return openstack.Poll(ctx, what+" to be served", r.waits.Longest, func(ctx context.Context) (bool, error) {
		z, err := zones.Get(ctx, client, zone).Extract()
		switch {
		case err != nil:
			return false, openstack.Explain(err, "reading %s", what)
		case z.Status == "ACTIVE":
			return true, nil
		case z.Status == "PENDING":
			return false, openstack.Still("in state %q", z.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, z.Status)
		}
	})
}

// finish gives a zone that is whole its own description, in the place of the mark.
func finish(ctx context.Context, client *gophercloud.ServiceClient, zone, description string) error {
	err := zones.Update(ctx, client, zone, zones.UpdateOpts{Description: &description}).Err
	return openstack.Explain(err, "taking the mark of what is not restored yet from DNS zone %s", zone)
}

// undoRestore is the Undo hook of restore. The record sets go with their zone.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	client, err := openstack.DNS(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	ids, err := madeZones(ctx, client, call)
	if err != nil {
		return err
	}
	if record.Zone != "" && !slices.Contains(ids, record.Zone) {
		ids = append(ids, record.Zone)
	}
	limited, cancel := r.waits.Within(ctx)
	defer cancel()
	for _, id := range ids {
		err := r.waits.Remove(limited, fmt.Sprintf("DNS zone %s, made for DNS zone %s", id, call.Node.ID), openstack.Removal{
			State: func(ctx context.Context) (string, error) { return removable(zones.Get(ctx, client, id).Extract()) },
			Drop: func(ctx context.Context) error {
				_, err := zones.Delete(ctx, client, id).Extract()
				return err
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removable tells a zone's state in the words of openstack.Removal.
func removable(z *zones.Zone, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case leaving(z) && z.Status == "ERROR":
		return "error_deleting", nil
	case leaving(z):
		return "deleting", nil
	default:
		return "available", nil
	}
}
