package cloudtest

import (
	"bytes"
	"context"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// service gives a client, or ends the test.
func service(t testing.TB, c karbor.Cloud, open func(context.Context, karbor.Cloud) (*gophercloud.ServiceClient, error)) *gophercloud.ServiceClient {
	t.Helper()
	client, err := open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// must ends the test if err is one.
func must(t testing.TB, err error, doing string) {
	t.Helper()
	if err != nil {
		t.Fatal(openstack.Explain(err, "%s", doing))
	}
}

// Image makes a raw image with these bytes and gives its id. With nil data it stays
// queued.
func Image(t testing.TB, c karbor.Cloud, name string, data []byte) string {
	t.Helper()
	client := service(t, c, openstack.Image)
	i, err := images.Create(t.Context(), client, images.CreateOpts{
		Name: name, DiskFormat: "raw", ContainerFormat: "bare",
	}).Extract()
	must(t, err, "making image "+name)
	if data != nil {
		must(t, openstack.UploadImage(t.Context(), client, i.ID, bytes.NewReader(data)), "filling image "+name)
	}
	return i.ID
}

// Volume makes a volume of 1 GiB, waits until it is available, and gives its id.
func Volume(t testing.TB, c karbor.Cloud, name, imageID string) string {
	t.Helper()
	client := service(t, c, openstack.BlockStorage)
	v, err := volumes.Create(t.Context(), client, volumes.CreateOpts{Name: name, Size: 1, ImageID: imageID}, nil).Extract()
	must(t, err, "making volume "+name)
	wait(t, "volume "+name, func(ctx context.Context) (bool, error) {
		got, err := volumes.Get(ctx, client, v.ID).Extract()
		if err == nil && got.Status == "error" {
			return false, karbor.Errorf(karbor.Internal, "volume %s is in error", name)
		}
		return err == nil && got.Status == "available", err
	})
	return v.ID
}

// SetVolumeStatus makes Cinder say that a volume has a status. c is an
// administrator's session.
func SetVolumeStatus(t testing.TB, c karbor.Cloud, id, status string) {
	t.Helper()
	err := volumes.ResetStatus(t.Context(), service(t, c, openstack.BlockStorage), id, volumes.ResetStatusOpts{Status: status}).ExtractErr()
	must(t, err, "setting the status of volume "+id)
}

// Network makes a network with a subnet (192.0.2.0/24) and gives its id.
func Network(t testing.TB, c karbor.Cloud, name string) string {
	t.Helper()
	client := service(t, c, openstack.Network)
	n, err := networks.Create(t.Context(), client, networks.CreateOpts{Name: name}).Extract()
	must(t, err, "making network "+name)
	_, err = subnets.Create(t.Context(), client, subnets.CreateOpts{NetworkID: n.ID, CIDR: "192.0.2.0/24", IPVersion: gophercloud.IPv4}).Extract()
	must(t, err, "making a subnet of "+name)
	return n.ID
}

// ServerSpec says what server to make. Either ImageID or BootVolume is set.
type ServerSpec struct {
	Name, ImageID, BootVolume string
	// Networks are the ids of its networks, one port on each.
	Networks []string
	// Volumes are attached in this order.
	Volumes []string
}

// Server makes a server of the smallest flavor, waits until it is active, attaches
// its volumes, and gives its id.
func Server(t testing.TB, c karbor.Cloud, spec ServerSpec) string {
	t.Helper()
	client := service(t, c, openstack.Compute)
	var nets []servers.Network
	for _, id := range spec.Networks {
		nets = append(nets, servers.Network{UUID: id})
	}
	options := servers.CreateOpts{Name: spec.Name, ImageRef: spec.ImageID, FlavorRef: smallest(t, client), Networks: nets}
	if spec.BootVolume != "" {
		options.BlockDevice = []servers.BlockDevice{{
			SourceType: servers.SourceVolume, DestinationType: servers.DestinationVolume, UUID: spec.BootVolume,
		}}
	}
	s, err := servers.Create(t.Context(), client, options, nil).Extract()
	must(t, err, "making server "+spec.Name)
	wait(t, "server "+spec.Name, func(ctx context.Context) (bool, error) {
		got, err := servers.Get(ctx, client, s.ID).Extract()
		if err == nil && got.Status == "ERROR" {
			return false, karbor.Errorf(karbor.Internal, "server %s is in error: %s", spec.Name, got.Fault.Message)
		}
		return err == nil && got.Status == "ACTIVE", err
	})
	for _, id := range spec.Volumes {
		attach(t, c, client, s.ID, id)
	}
	return s.ID
}

func attach(t testing.TB, c karbor.Cloud, compute *gophercloud.ServiceClient, serverID, volumeID string) {
	t.Helper()
	_, err := volumeattach.Create(t.Context(), compute, serverID, volumeattach.CreateOpts{VolumeID: volumeID}).Extract()
	must(t, err, "attaching volume "+volumeID)
	storage := service(t, c, openstack.BlockStorage)
	wait(t, "volume "+volumeID+" to be attached", func(ctx context.Context) (bool, error) {
		v, err := volumes.Get(ctx, storage, volumeID).Extract()
		return err == nil && v.Status == "in-use", err
	})
}

func smallest(t testing.TB, client *gophercloud.ServiceClient) string {
	t.Helper()
	page, err := flavors.ListDetail(client, nil).AllPages(t.Context())
	must(t, err, "listing flavors")
	list, err := flavors.ExtractFlavors(page)
	must(t, err, "listing flavors")
	if len(list) == 0 {
		t.Fatal("the cloud has no flavors")
	}
	best := list[0]
	for _, f := range list {
		if f.RAM < best.RAM {
			best = f
		}
	}
	return best.ID
}

// SetServerState makes Nova say that a server is in a state. c is an
// administrator's session.
func SetServerState(t testing.TB, c karbor.Cloud, id string, state servers.ServerState) {
	t.Helper()
	must(t, servers.ResetState(t.Context(), service(t, c, openstack.Compute), id, state).ExtractErr(), "setting the state of server "+id)
}

// DeleteImage deletes an image.
func DeleteImage(t testing.TB, c karbor.Cloud, id string) {
	t.Helper()
	must(t, images.Delete(t.Context(), service(t, c, openstack.Image), id).ExtractErr(), "deleting image "+id)
}
