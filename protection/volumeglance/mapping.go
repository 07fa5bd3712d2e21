package volumeglance

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// usableType gives the type to ask for: the one that was asked for in the place of the
// original's, or the original's if the cloud has it.
func usableType(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, doc document) (string, error) {
	name := doc.VolumeType
	other := call.Instead(protection.MapVolumeTypes, name)
	if name == "" && other == "" {
		return "", nil
	}
	types, err := openstack.AllPages(ctx, volumetypes.List(client, volumetypes.ListOpts{}), volumetypes.ExtractVolumeTypes)
	if err != nil {
		return "", openstack.Explain(err, "listing the volume types")
	}
	there := func(wanted string) bool {
		return slices.ContainsFunc(types, func(t volumetypes.VolumeType) bool { return t.Name == wanted || t.ID == wanted })
	}
	switch {
	case other != "" && !there(other):
		return "", karbor.Errorf(karbor.FailedDependency, "restore_volume_types: there is no volume type %q", other)
	case other != "":
		call.Mapped(fmt.Sprintf("The volume has the type %q in the place of %q.", other, name))
		return other, nil
	case there(name):
		return name, nil
	case doc.Encrypted:
		return "", karbor.Errorf(karbor.FailedDependency, "the volume is encrypted, and there is no volume type %q: "+
			"map the volume type (volume_types) to one that encrypts", name)
	}
	call.NotKept(fmt.Sprintf("The volume has the default type: there is no volume type %q.", name))
	return "", nil
}

// usableZone gives the availability zone to ask for: the one that was asked for in the
// place of the original's, or the original's if the cloud has it.
func usableZone(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, name string) (string, error) {
	other := call.Instead(protection.MapZones, name)
	if name == "" && other == "" {
		return "", nil
	}
	zones, err := openstack.VolumeZones(ctx, client)
	if err != nil {
		return "", err
	}
	there := func(wanted string) bool { return slices.Contains(zones, wanted) }
	switch {
	case other != "" && !there(other):
		return "", karbor.Errorf(karbor.FailedDependency, "restore_availability_zones: there is no availability zone %q for volumes", other)
	case other != "":
		call.Mapped(fmt.Sprintf("The volume is in the availability zone %q in the place of %q.", other, name))
		return other, nil
	case there(name):
		return name, nil
	}
	call.NotKept(fmt.Sprintf("The volume is in the default availability zone: there is no availability zone %q for volumes.", name))
	return "", nil
}
