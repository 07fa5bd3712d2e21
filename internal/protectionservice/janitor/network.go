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
	"github.com/karbor/karbor/internal/openstack/networking"
	"github.com/karbor/karbor/internal/protectionservice/drill"
)

// collections are the lists of Neutron, by the kind of what is in them.
var collections = map[Kind]string{
	FloatingIP: "floatingips", Router: "routers", Port: "ports", Network: "networks", SecurityGroup: "security-groups",
}

// fields has Neutron leave out of a list what nobody reads: there are more ports than anything else.
var fields = map[Kind][]string{
	Port: {"id", "name", "description", "status", "project_id", "created_at", "network_id", "device_id", "device_owner"},
}

// networked is what Neutron shows of anything, and of a port.
type networked struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Status      string    `json:"status"`
	ProjectID   string    `json:"project_id"`
	CreatedAt   time.Time `json:"created_at"`
	// NetworkID, DeviceID and DeviceOwner are a port's; the others a floating address's.
	NetworkID       string            `json:"network_id"`
	DeviceID        string            `json:"device_id"`
	DeviceOwner     string            `json:"device_owner"`
	PortID          string            `json:"port_id"`
	PortForwardings []json.RawMessage `json:"port_forwardings"`
}

func (n networked) thing(kind Kind) Thing {
	t := Thing{Kind: kind, ID: n.ID, Name: n.Name, ProjectID: n.ProjectID, Status: n.Status, CreatedAt: n.CreatedAt, Tags: describedTags(n.Description)}
	if kind == FloatingIP && t.Owner() != "" {
		t.Name = drill.Name(t.Owner()) // it has none of its own, and nobody copies a description
	}
	if kind == Port && n.DeviceID != "" {
		t.Used = "something has it"
	}
	return t
}

// networking lists the things of a kind, of all projects, that drills have made, or restores have not
// finished: of one installation, or of any for "". Neutron can't look for a part of a description: all there are
// pass by, a page at a time.
func (a administration) networking(ctx context.Context, kind Kind, installation string) ([]Thing, error) {
	client, err := openstack.Network(ctx, a.session)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if fields[kind] != nil {
		query["fields"] = fields[kind]
	}
	found, err := networking.Walk(ctx, client, collections[kind], query, func(n networked) (Thing, bool) {
		t := n.thing(kind)
		if t.Installation() == "" || installation != "" && t.Installation() != installation {
			return t, false
		}
		if kind == FloatingIP {
			t.Used = a.associated(ctx, client, n)
		}
		return t, true
	})
	return found, openstack.Explain(err, "listing the %s of all projects", strings.ReplaceAll(collections[kind], "-", " "))
}

// portsOf reads the ports that a query finds.
func portsOf(ctx context.Context, client *gophercloud.ServiceClient, query url.Values) ([]networked, error) {
	found, err := networking.List[networked](ctx, client, "ports", query)
	return found, openstack.Explain(err, "listing the ports of all projects")
}

// associated says what a floating address leads to that somebody may use; "" for nothing. What
// leads to a port that nothing has, on a network of the same drill or restore, or to a port that its own
// restore has not finished, is as lost as that.
func (a administration) associated(ctx context.Context, client *gophercloud.ServiceClient, address networked) string {
	if len(address.PortForwardings) > 0 {
		return "it forwards ports"
	}
	if address.PortID == "" {
		return ""
	}
	var port networked
	err := networking.Show(ctx, client, "ports", address.PortID, &port)
	switch {
	case openstack.IsNotFound(err):
		return ""
	case err != nil:
		return "the port that it is associated with can't be read: " + karbor.Sentence(openstack.Explain(err, "reading port %s", address.PortID))
	case port.DeviceID != "":
		return "it is associated"
	}
	if port.thing(Port).ofSameRestore(address.thing(FloatingIP)) {
		return ""
	}
	network, err := a.networkThing(ctx, Network, port.NetworkID)
	if err != nil || !network.kin(address.thing(FloatingIP)) {
		return "it is associated"
	}
	return ""
}

// networkThing reads one thing of Neutron's.
func (a administration) networkThing(ctx context.Context, kind Kind, id string) (Thing, error) {
	client, err := openstack.Network(ctx, a.session)
	if err != nil {
		return Thing{}, err
	}
	var found networked
	if err := networking.Show(ctx, client, collections[kind], id, &found); err != nil {
		return Thing{}, openstack.Explain(err, "reading %s %s", kind, id)
	}
	t := found.thing(kind)
	if kind == FloatingIP {
		t.Used = a.associated(ctx, client, found)
	}
	return t, nil
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
		err = a.leave(ctx, client, id)
	case Network:
		err = a.empty(ctx, client, id)
	default: // nothing hangs on it that is ours
	}
	if err != nil {
		return err
	}
	return gone(ctx, client, collections[kind], id)
}

func gone(ctx context.Context, client *gophercloud.ServiceClient, collection, id string) error {
	err := networking.Delete(ctx, client, collection, id)
	return openstack.Explain(err, "deleting %s of %s", id, strings.ReplaceAll(collection, "-", " "))
}

// leave takes a router out of all networks, which must be the same drill's or restore's: where somebody has
// joined it to another, it stays in all of them.
func (a administration) leave(ctx context.Context, client *gophercloud.ServiceClient, id string) error {
	router, err := a.networkThing(ctx, Router, id)
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ports, err := portsOf(ctx, client, url.Values{"device_id": {id}})
	if err != nil {
		return err
	}
	ports = slices.DeleteFunc(ports, func(p networked) bool { return !slices.Contains(drill.Interfaces, p.DeviceOwner) })
	for _, p := range ports {
		network, err := a.networkThing(ctx, Network, p.NetworkID)
		if err != nil {
			return err
		}
		if !network.kin(router) {
			return karbor.Errorf(karbor.Conflict, "router %s is in network %s, which is not the %s's", id, p.NetworkID, router.maker())
		}
	}
	for _, p := range ports {
		opts := &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK}}
		var ignored json.RawMessage
		_, err := client.Put(ctx, client.ServiceURL("routers", id, "remove_router_interface"), map[string]string{"port_id": p.ID}, &ignored, opts) //nolint:bodyclose // gophercloud has closed it
		if err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "taking router %s out of a network", id)
		}
	}
	return nil
}

// empty deletes the ports of a drill's network that nothing has. Where something has one, nothing
// is deleted; nor is anything on a network that a restore has not finished: what that has made goes
// before its network.
func (a administration) empty(ctx context.Context, client *gophercloud.ServiceClient, id string) error {
	network, err := a.networkThing(ctx, Network, id)
	if openstack.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ports, err := portsOf(ctx, client, url.Values{"network_id": {id}})
	if err != nil {
		return err
	}
	ports = slices.DeleteFunc(ports, func(p networked) bool {
		return p.DeviceOwner == "network:dhcp" || p.DeviceOwner == "network:distributed"
	})
	for _, p := range ports {
		switch {
		case p.DeviceID != "":
			return karbor.Errorf(karbor.Conflict, "port %s of network %s is in use, by %s", p.ID, id, p.DeviceID)
		case network.Restoring():
			return karbor.Errorf(karbor.Conflict, "port %s is on network %s, and not one that the restore has left half made", p.ID, id)
		}
	}
	var errs []error
	for _, p := range ports {
		errs = append(errs, gone(ctx, client, "ports", p.ID))
	}
	return errors.Join(errs...)
}
