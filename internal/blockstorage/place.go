package blockstorage

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// VolumeType gives the volume type to ask for: the one that the restore maps the
// original's to, or the original's if the cloud has it, or "" for the default.
func VolumeType(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, original string) (string, error) {
	types, err := openstack.AllPages(ctx, volumetypes.List(client, volumetypes.ListOpts{}), volumetypes.ExtractVolumeTypes)
	if err != nil {
		return "", openstack.Explain(err, "listing the volume types")
	}
	names := map[string]string{}
	for _, t := range types {
		names[t.ID], names[t.Name] = t.Name, t.Name
	}
	return place(call, protection.MapVolumeTypes, "volume type", original, names)
}

// Zone gives the availability zone to ask for: the one that the restore maps the
// original's to, or the original's if the cloud has it, or "" for the default.
func Zone(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, original string) (string, error) {
	zones, err := openstack.VolumeZones(ctx, client)
	if err != nil {
		return "", err
	}
	names := map[string]string{}
	for _, z := range zones {
		names[z] = z
	}
	return place(call, protection.MapZones, "availability zone", original, names)
}

// place chooses among the names that the cloud has.
func place(call *protection.Call, kind, noun, original string, names map[string]string) (string, error) {
	if asked := call.Instead(kind, original); asked != "" {
		name := names[asked]
		if name == "" {
			return "", karbor.Errorf(karbor.Invalid, "volume %s can't be restored as asked: there is no %s %q", call.Node.ID, noun, asked)
		}
		if name != original {
			call.Mapped(fmt.Sprintf("The volume has the %s %q in place of %q.", noun, name, original))
		}
		return name, nil
	}
	if original != "" && names[original] == "" {
		call.NotKept(fmt.Sprintf("The volume has the default %s: there is no %s %q.", noun, noun, original))
	}
	return names[original], nil
}
