package janitor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/drill"
)

// collections are the lists of Neutron, by the kind of what is in them.
var collections = map[Kind]string{
	FloatingIP: "floatingips", Router: "routers", Network: "networks", SecurityGroup: "security-groups",
}

// networked is what Neutron shows of anything, and of a port.
type networked struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Status      string    `json:"status"`
	ProjectID   string    `json:"project_id"`
	CreatedAt   time.Time `json:"created_at"`
	DeviceID    string    `json:"device_id"`
	DeviceOwner string    `json:"device_owner"`
}

func (n networked) thing(kind Kind) Thing {
	t := Thing{Kind: kind, ID: n.ID, Name: n.Name, ProjectID: n.ProjectID, Status: n.Status, CreatedAt: n.CreatedAt, Tags: drilledTags(n.Description)}
	if kind == FloatingIP && t.Owner() != "" {
		t.Name = drill.Name(t.Owner()) // it has none of its own, and nobody copies a description
	}
	return t
}

// networking lists the things of a kind, of all projects, that drills have made. Neutron can't
// look for the beginning of a description: all there are pass by, a page at a time.
func (a administration) networking(ctx context.Context, kind Kind) ([]Thing, error) {
	client, err := openstack.Network(ctx, a.session)
	if err != nil {
		return nil, err
	}
	page := func(ctx context.Context, marker string, limit int) ([]networked, bool, error) {
		v := newQuery(marker, limit)
		v.Set("sort_key", "id")
		v.Set("sort_dir", "asc")
		found, err := listed(ctx, client, collections[kind], v)
		return found, len(found) >= limit, err
	}
	return openstack.Collect(ctx, "", 0, page, func(n networked) string { return n.ID },
		func(n networked) (Thing, bool) { t := n.thing(kind); return t, t.Installation() != "" })
}

// listed reads one page of a list.
func listed(ctx context.Context, client *gophercloud.ServiceClient, collection string, query url.Values) ([]networked, error) {
	var envelope map[string]json.RawMessage
	_, err := client.Get(ctx, client.ServiceURL(collection)+"?"+query.Encode(), &envelope, nil) //nolint:bodyclose // gophercloud has closed it
	var found []networked
	if err == nil {
		err = json.Unmarshal(envelope[strings.ReplaceAll(collection, "-", "_")], &found)
	}
	return found, openstack.Explain(err, "listing the %s of all projects", strings.ReplaceAll(collection, "-", " "))
}

// networkThing reads one thing of Neutron's.
func (a administration) networkThing(ctx context.Context, kind Kind, id string) (Thing, error) {
	client, err := openstack.Network(ctx, a.session)
	if err != nil {
		return Thing{}, err
	}
	var envelope map[string]networked
	_, err = client.Get(ctx, client.ServiceURL(collections[kind], id), &envelope, nil) //nolint:bodyclose // gophercloud has closed it
	for _, n := range envelope {
		return n.thing(kind), openstack.Explain(err, "reading %s %s", kind, id)
	}
	return Thing{}, openstack.Explain(err, "reading %s %s", kind, id)
}

// removeNetworking deletes a thing of Neutron's: a router leaves all networks first, and of a
// network those ports go that nothing has any more.
func (a administration) removeNetworking(ctx context.Context, kind Kind, id string) error {
	client, err := openstack.Network(ctx, a.session)
	if err != nil {
		return err
	}
	switch kind {
	case Router:
		err = leave(ctx, client, id)
	case Network:
		err = empty(ctx, client, id)
	default: // nothing hangs on it that is ours
	}
	if err != nil {
		return err
	}
	return gone(ctx, client, collections[kind], id)
}

func gone(ctx context.Context, client *gophercloud.ServiceClient, collection, id string) error {
	_, err := client.Delete(ctx, client.ServiceURL(collection, id), nil) //nolint:bodyclose // gophercloud has closed it
	if openstack.IsNotFound(err) {
		return nil
	}
	return openstack.Explain(err, "deleting %s of %s", id, strings.ReplaceAll(collection, "-", " "))
}

// leave takes a router out of all networks.
func leave(ctx context.Context, client *gophercloud.ServiceClient, router string) error {
	ports, err := listed(ctx, client, "ports", url.Values{"device_id": {router}})
	if err != nil {
		return err
	}
	for _, p := range ports {
		if !strings.Contains(p.DeviceOwner, "router_interface") && !strings.Contains(p.DeviceOwner, "ha_router_replicated_interface") {
			continue
		}
		opts := &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}}
		var ignored json.RawMessage
		_, err := client.Put(ctx, client.ServiceURL("routers", router, "remove_router_interface"), map[string]string{"port_id": p.ID}, &ignored, opts) //nolint:bodyclose // gophercloud has closed it
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "taking router %s out of a network", router)
		}
	}
	return nil
}

// empty deletes the ports of a drill's network that nothing has. Where something has one, nothing
// is deleted.
func empty(ctx context.Context, client *gophercloud.ServiceClient, network string) error {
	ports, err := listed(ctx, client, "ports", url.Values{"network_id": {network}})
	if err != nil {
		return err
	}
	ports = slices.DeleteFunc(ports, func(p networked) bool {
		return p.DeviceOwner == "network:dhcp" || p.DeviceOwner == "network:distributed"
	})
	for _, p := range ports {
		if p.DeviceID != "" {
			return karbor.Errorf(karbor.Conflict, "port %s of network %s is in use, by %s", p.ID, network, p.DeviceID)
		}
	}
	var errs []error
	for _, p := range ports {
		errs = append(errs, gone(ctx, client, "ports", p.ID))
	}
	return errors.Join(errs...)
}
