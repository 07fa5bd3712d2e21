package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// flavor gives the flavor to ask for: the one asked for, the original, or one
// that is its equal.
func (b *builder) flavor(ctx context.Context) (string, error) {
	if id := b.call.Text("restore_flavor_id"); id != "" {
		if _, err := showFlavor(ctx, b.compute, id); err != nil {
			return "", fmt.Errorf("restore_flavor_id: %w", err)
		}
		return id, nil
	}
	want := b.doc.Flavor
	if other := b.call.Instead(protection.MapFlavors, want.ID, want.Name); other != "" {
		return b.mappedFlavor(ctx, other)
	}
	found, err := showFlavor(ctx, b.compute, want.ID)
	if err == nil && (want.VCPUs == 0 || found.equals(want)) {
		return found.ID, nil
	}
	if err != nil && !openstack.IsNotFound(err) {
		return "", err
	}
	if want.VCPUs == 0 {
		return "", karbor.Errorf(karbor.NotFound, "the flavor %q of server %s is not there: name another with restore_flavor_id", want.ID, b.call.Node.ID)
	}
	var all []flavorView
	if err := b.compute.get(ctx, "flavors/detail", nil, "flavors", &all); err != nil {
		return "", openstack.Explain(err, "listing the flavors")
	}
	for _, v := range all {
		if v.flavor().equals(want) {
			return v.ID, nil
		}
	}
	return "", karbor.Errorf(karbor.NotFound, "there is no flavor like that of server %s (%q: %d VCPUs, %d MiB of memory, %d GiB of disk): "+
		"name another with restore_flavor_id", b.call.Node.ID, want.Name, want.VCPUs, want.RAM, want.Disk)
}

// equals reports whether two flavors give the same server.
func (f flavor) equals(g flavor) bool {
	return f.VCPUs == g.VCPUs && f.RAM == g.RAM && f.Disk == g.Disk && f.Ephemeral == g.Ephemeral && f.Swap == g.Swap &&
		(len(f.ExtraSpecs) == 0 && len(g.ExtraSpecs) == 0 || maps.Equal(f.ExtraSpecs, g.ExtraSpecs))
}

// zone gives the availability zone to ask for: the original's if the cloud has it.
func (b *builder) zone(ctx context.Context) (string, error) {
	if b.doc.AvailabilityZone == "" {
		return "", nil
	}
	var zones []struct {
		Name  string `json:"zoneName"`
		State struct {
			Available bool `json:"available"`
		} `json:"zoneState"`
	}
	if err := b.compute.get(ctx, "os-availability-zone", nil, "availabilityZoneInfo", &zones); err != nil {
		return "", openstack.Explain(err, "listing the availability zones")
	}
	other := b.call.Instead(protection.MapZones, b.doc.AvailabilityZone)
	for _, z := range zones {
		if z.Name == protection.First(other, b.doc.AvailabilityZone) && z.State.Available {
			if other != "" {
				b.call.Mapped(fmt.Sprintf("The server is in the availability zone %q in the place of %q.", other, b.doc.AvailabilityZone))
			}
			return z.Name, nil
		}
	}
	if other != "" {
		return "", karbor.Errorf(karbor.FailedDependency, "restore_availability_zones: there is no availability zone %q for servers", other)
	}
	b.call.NotKept(fmt.Sprintf("The server is in the default availability zone: there is no availability zone %q.", b.doc.AvailabilityZone))
	return "", nil
}

// hints gives the scheduler hint for the original's server group.
func (b *builder) hints(ctx context.Context) (map[string]any, error) {
	for _, want := range b.doc.ServerGroups {
		var groups []serverGroup
		if err := b.compute.get(ctx, "os-server-groups", nil, "server_groups", &groups); err != nil {
			return nil, openstack.Explain(err, "listing the server groups")
		}
		for _, sameID := range []bool{true, false} {
			for _, g := range groups {
				if sameID && g.ID == want.ID || !sameID && want.Name != "" && g.Name == want.Name && g.Policy == want.Policy {
					return map[string]any{"group": g.ID}, nil
				}
			}
		}
		b.call.NotKept(fmt.Sprintf("The server is in no server group: there is none named %q.", want.Name))
	}
	return nil, nil
}

// keypair gives the name of the keypair that the server gets, "" for none: the one
// that was asked for, or the original's, which the user has, or gets.
func (b *builder) keypair(ctx context.Context) (string, error) {
	if b.doc.KeyName == "" {
		return "", nil
	}
	if other := b.call.Instead(protection.MapKeypairs, b.doc.KeyName); other != "" {
		return other, b.mappedKeypair(ctx, other)
	}
	usable, err := b.ownKeypair(ctx)
	if !usable {
		return "", err
	}
	return b.doc.KeyName, err
}

// ownKeypair makes sure that the user has a keypair of the original's name, and
// reports whether he has.
func (b *builder) ownKeypair(ctx context.Context) (bool, error) {
	name := b.doc.KeyName
	if there, err := b.compareKey(ctx); err != nil || there {
		return there, err
	}
	if b.doc.PublicKey == "" {
		b.call.NotKept(fmt.Sprintf("The server has no keypair: there is none named %q, and its public key could not be read when the server was protected.", name))
		return false, nil
	}
	return b.importKey(ctx)
}

// importKey imports the original's public key under its name. What it is about to
// import is recorded before, so that Undo removes it; a keypair that turns out to be
// somebody else's (another server of this restore has imported it, or the user has
// made it meanwhile) is taken off the record.
func (b *builder) importKey(ctx context.Context) (bool, error) {
	name, earlier := b.doc.KeyName, b.record.Keypair
	if err := b.recordKeypair(ctx, name); err != nil {
		return false, err
	}
	body := map[string]any{"name": name, "public_key": b.doc.PublicKey}
	if b.doc.KeyType != "" {
		body["type"] = b.doc.KeyType
	}
	find := func(ctx context.Context) (string, error) {
		err := b.compute.get(ctx, "os-keypairs/"+url.PathEscape(name), nil, "", &struct{}{})
		if openstack.IsNotFound(err) {
			return "", nil
		}
		return name, openstack.Explain(err, "reading keypair %q", name)
	}
	ours := earlier == name // an earlier run may have imported it
	_, err := openstack.Make(ctx, b.call, "keypair", find, func(ctx context.Context) (string, error) {
		err := b.compute.post(ctx, "os-keypairs", map[string]any{"keypair": body}, "", nil)
		ours = ours || !gophercloud.ResponseCodeIs(err, http.StatusConflict)
		return name, err
	})
	if err != nil && !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		return false, openstack.Explain(err, "importing the public key of keypair %q", name)
	}
	if ours {
		return true, nil
	}
	if err := b.recordKeypair(ctx, ""); err != nil {
		return false, err
	}
	return b.compareKey(ctx)
}

// compareKey reports whether the user has a keypair of the original's name, and tells
// him if it is another one.
func (b *builder) compareKey(ctx context.Context) (bool, error) {
	name := b.doc.KeyName
	var key struct {
		PublicKey string `json:"public_key"`
	}
	err := b.compute.get(ctx, "os-keypairs/"+url.PathEscape(name), nil, "keypair", &key)
	if openstack.IsNotFound(err) {
		return false, nil
	}
	if err == nil && b.doc.PublicKey != "" && key.PublicKey != b.doc.PublicKey {
		b.call.NotKept(fmt.Sprintf("The server has your keypair %q, which is not the one that the original had under this name.", name))
	}
	return err == nil, openstack.Explain(err, "reading keypair %q", name)
}

func (b *builder) recordKeypair(ctx context.Context, name string) error {
	b.record.Keypair = name
	return b.call.Scratch.Save(ctx, b.record)
}
