package drill

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

func statusConflict(err error) bool { return gophercloud.ResponseCodeIs(err, http.StatusConflict) }

// Remove deletes what a drill has made besides what it restored, as the Undo hook of its own
// node, which runs after all others: addresses, routers, networks, security groups, temporary
// images. Everything is looked for by its mark, in the project of the drill.
func Remove(ctx context.Context, call *protection.Call) error {
	var stays error
	for _, node := range call.Graph.Nodes() {
		if node.Type != karbor.VolumeType {
			continue
		}
		if err := removeImages(ctx, call.Cloud, imageName(call.OperationID, node.ID)); stays == nil {
			stays = err
		}
	}
	return errors.Join(stays, removeNetworks(ctx, call))
}

// removeNetworks deletes what a drill has made in Neutron.
func removeNetworks(ctx context.Context, call *protection.Call) error {
	n, err := newNeutron(ctx, call.Cloud)
	if err != nil {
		return unlessNone(err)
	}
	for _, kind := range []string{"floatingips", "routers", "networks", "security-groups"} {
		found, err := n.made(ctx, kind, call.OperationID)
		if err != nil {
			return err
		}
		for _, t := range found {
			if kind == "routers" {
				if err := n.leave(ctx, t.ID); err != nil {
					return err
				}
			}
			if err := n.remove(ctx, kind, t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlessNone gives an error unless it is that the cloud has no such service: then nothing was made.
func unlessNone(err error) error {
	if err != nil && karbor.KindOf(err) == karbor.NotImplemented {
		return nil
	}
	return err
}

// Interfaces are the owners of the ports that join a router to networks: of a router in one place,
// of a distributed, and of a highly available one.
var Interfaces = []string{"network:router_interface", "network:router_interface_distributed", "network:ha_router_replicated_interface"}

// leave takes a router out of all networks.
func (n neutron) leave(ctx context.Context, router string) error {
	ports, err := list[drillPort](ctx, n, "ports", url.Values{"device_id": {router}})
	if err != nil {
		return err
	}
	ports = slices.DeleteFunc(ports, func(p drillPort) bool { return !slices.Contains(Interfaces, p.Owner) })
	for _, p := range ports {
		err := n.put(ctx, map[string]any{"port_id": p.ID}, "routers", router, "remove_router_interface")
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "taking the drill's router out of its network")
		}
	}
	return nil
}

// removeImages deletes the images of the project that have a name.
func removeImages(ctx context.Context, cloud karbor.Cloud, name string) error {
	client, err := openstack.Image(ctx, cloud)
	if err != nil {
		return unlessNone(err)
	}
	found, err := findImages(ctx, client, cloud.ProjectID(), name)
	if err != nil {
		return err
	}
	for _, i := range found {
		key := keymanager.Part(ctx, cloud, client, i)
		if karbor.IsTransient(key) {
			return key // once the image is gone nobody knows the secret
		}
		err := images.Delete(ctx, client, i.ID).ExtractErr()
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "deleting the temporary image %s", i.ID)
		}
		if key != nil {
			return key
		}
	}
	return nil
}

// findImages gives a project's images of a name.
func findImages(ctx context.Context, client *gophercloud.ServiceClient, project, name string) ([]images.Image, error) {
	all, err := openstack.AllPages(ctx, images.List(client, images.ListOpts{Name: name, Owner: project}), images.ExtractImages)
	if err != nil {
		return nil, openstack.Explain(err, "looking for the temporary image %q", name)
	}
	var found []images.Image
	for _, i := range all {
		if i.Name == name && i.Owner == project {
			found = append(found, i)
		}
	}
	return found, nil
}
