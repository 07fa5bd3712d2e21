package application

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
)

// Restored finds the parts of an application that was restored, by their
// names: their ids are new.
func (c *Cloud) Restored(ctx context.Context, app *Application) (*Application, error) {
	r := &Application{Name: app.Name, FileSystem: app.FileSystem, boot: app.boot, together: app.together, outside: app.outside}
	for _, part := range []struct {
		into *string
		find func() (document, error)
	}{
		{&r.First, func() (document, error) {
			return named(ctx, c.compute, "servers/detail", "servers", app.Name+firstServer)
		}},
		{&r.Second, func() (document, error) {
			d, err := named(ctx, c.compute, "servers/detail", "servers", app.Name+secondServer)
			r.ServerImage = d.doc("image").text("id")
			return d, err
		}},
		{&r.RootVolume, func() (document, error) {
			return named(ctx, c.volume, "volumes/detail", "volumes", app.Name+rootVolume)
		}},
		{&r.DataVolume, func() (document, error) {
			return named(ctx, c.volume, "volumes/detail", "volumes", app.Name+dataVolume)
		}},
		{&r.Network, func() (document, error) { return named(ctx, c.network, "networks", "networks", app.Name+network) }},
		{&r.Router, func() (document, error) { return named(ctx, c.network, "routers", "routers", app.Name+router) }},
		{&r.Group, func() (document, error) {
			return named(ctx, c.network, "security-groups", "security_groups", app.Name+group)
		}},
		{&r.Admins, func() (document, error) {
			return named(ctx, c.network, "security-groups", "security_groups", app.Name+admins)
		}},
		{&r.Archive, func() (document, error) {
			return named(ctx, c.volume, "volumes/detail", "volumes", app.Name+archive)
		}},
		{&r.Address, func() (document, error) { return c.addressOf(ctx, r.First) }},
	} {
		d, err := part.find()
		if err != nil {
			return nil, fmt.Errorf("looking for the restored application: %w", err)
		}
		*part.into = d.text("id")
	}
	return r, nil
}

// IDs gives the ids of the parts that are protected.
func (a *Application) IDs() []string {
	return []string{a.First, a.Second, a.RootVolume, a.DataVolume, a.Archive, a.ServerImage, a.Network}
}

// Inventory is all that the tenant has in the cloud: by "kind id", its name.
type Inventory map[string]string

// Inventory asks every service.
func (c *Cloud) Inventory(ctx context.Context) (Inventory, error) {
	inv := Inventory{}
	for _, kind := range []struct {
		name      string
		service   *gophercloud.ServiceClient
		path, key string
	}{
		{"server", c.compute, "servers/detail", "servers"},
		{"volume", c.volume, "volumes/detail", "volumes"},
		{"snapshot", c.volume, "snapshots", "snapshots"},
		{"backup", c.volume, "backups", "backups"},
		{"image", c.image, "images?limit=1000&visibility=private", "images"},
		{"network", c.network, "networks?router:external=False", "networks"},
		{"subnet", c.network, "subnets", "subnets"},
		{"port", c.network, "ports", "ports"},
		{"router", c.network, "routers", "routers"},
		{"security-group", c.network, "security-groups", "security_groups"},
		{"floatingip", c.network, "floatingips", "floatingips"},
	} {
		found, err := find(ctx, kind.service, kind.path, kind.key, nil)
		if err != nil {
			return nil, fmt.Errorf("listing what the tenant has: %w", err)
		}
		for _, d := range found {
			inv[kind.name+" "+d.text("id")] = d.text("name")
		}
	}
	return inv, nil
}

// Leftovers gives what the tenant has now and had not before, but for the
// restored application's own parts. Where others use the project too, mine says
// by the name which things count; nil counts all.
func (c *Cloud) Leftovers(ctx context.Context, before Inventory, app *Application, mine func(name string) bool) ([]string, error) {
	now, err := c.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	own := map[string]bool{
		"server " + app.First: true, "server " + app.Second: true, "volume " + app.RootVolume: true,
		"volume " + app.DataVolume: true, "image " + app.ServerImage: true, "network " + app.Network: true,
		"router " + app.Router: true, "security-group " + app.Group: true, "security-group " + app.Admins: true,
		"volume " + app.Archive: true, "floatingip " + app.Address: true,
	}
	for _, id := range app.images {
		own["image "+id] = true
	}
	var left []string
	for key, name := range now {
		if _, there := before[key]; there || own[key] || mine != nil && !mine(name) {
			continue
		}
		kind, id, _ := strings.Cut(key, " ")
		if kind == "subnet" || kind == "port" {
			part, err := c.isOn(ctx, kind, id, app)
			if err != nil {
				return nil, err
			}
			if part {
				continue
			}
		}
		left = append(left, fmt.Sprintf("%s %q", key, name))
	}
	slices.Sort(left)
	return left, nil
}

// isOn reports whether a subnet or port is one of the application's: on its
// network and, for a port, used by one of its servers, its router or the
// network itself.
func (c *Cloud) isOn(ctx context.Context, kind, id string, app *Application) (bool, error) {
	d, err := call(ctx, c.network, http.MethodGet, kind+"s/"+id, nil)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	d = d.doc(kind)
	if kind == "subnet" {
		return d.text("network_id") == app.Network, nil
	}
	user := d.text("device_id")
	return user == app.First || user == app.Second || user == app.Router ||
		d.text("network_id") == app.Network && d.text("device_owner") == "network:dhcp", nil
}
