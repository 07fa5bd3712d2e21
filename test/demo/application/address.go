package application

import (
	"context"
	"fmt"
	"net/http"
)

// secondIP is an address that the first server's port may use beside its own.
const secondIP = "10.77.0.200"

// createAddress gives the first server's port what a tenant may give it, and a
// floating address where the cloud has an external network.
func (c *Cloud) createAddress(ctx context.Context, app *Application) error {
	port, err := c.portOf(ctx, app.First)
	if err != nil {
		return err
	}
	path := "ports/" + port.text("id")
	_, err = call(ctx, c.network, http.MethodPut, path, map[string]any{"port": map[string]any{
		"name": app.Name + "-front", "description": "to the customers", "security_groups": []string{app.Group, app.Admins},
		"allowed_address_pairs": []any{map[string]any{"ip_address": secondIP}}}})
	if err != nil {
		return err
	}
	if err := c.tag(ctx, path, "demo", "front"); err != nil || app.outside == "" {
		return err
	}
	f, err := create(ctx, c.network, "floatingips", "floatingip", map[string]any{
		"floating_network_id": app.outside, "port_id": port.text("id"), "description": app.Name + address})
	if err != nil {
		return err
	}
	app.Address = f.text("id")
	return c.tag(ctx, "floatingips/"+app.Address, "demo", "shop window")
}

// portOf gives the one port of a server.
func (c *Cloud) portOf(ctx context.Context, server string) (document, error) {
	ports, err := find(ctx, c.network, "ports?device_id="+server, "ports", nil)
	if err != nil {
		return nil, err
	}
	if len(ports) != 1 {
		return nil, fmt.Errorf("server %s has %d ports, not one", server, len(ports))
	}
	return ports[0], nil
}

// addressOf gives the floating address of a server's port, or nil.
func (c *Cloud) addressOf(ctx context.Context, server string) (document, error) {
	port, err := c.portOf(ctx, server)
	if err != nil {
		return nil, err
	}
	found, err := find(ctx, c.network, "floatingips?port_id="+port.text("id"), "floatingips", nil)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// addressProperties notes the floating address of the first server. It is the same
// one only where the operator lets Karbor choose it: see SameAddress.
func (c *Cloud) addressProperties(ctx context.Context, app *Application, p Properties) error {
	first, err := named(ctx, c.compute, "servers/detail", "servers", app.Name+firstServer)
	if err != nil {
		return err
	}
	f, err := c.addressOf(ctx, first.text("id"))
	if err != nil {
		return err
	}
	p.set("floating address", "there", f != nil)
	if f == nil {
		return nil
	}
	p.take("floating address", f, "description", "fixed_ip_address", "floating_network_id")
	p.tags("floating address", f)
	if c.SameAddress {
		p.take("floating address", f, "floating_ip_address")
	}
	return nil
}
