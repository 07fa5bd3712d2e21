package application

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Destroy deletes the whole application, by name, and waits until it is gone.
// It bears what has gone already.
func (c *Cloud) Destroy(ctx context.Context, app *Application) error {
	ours := func(d document) bool { return strings.HasPrefix(d.text("name"), app.Name) }
	for _, step := range []func(context.Context, *Application, func(document) bool) error{
		c.destroyServers, c.destroyVolumes, c.destroyImages, c.destroyNetworks, c.destroyAccess,
	} {
		if err := step(ctx, app, ours); err != nil {
			return fmt.Errorf("destroying the application: %w", err)
		}
	}
	return nil
}

// each runs do for all objects that match, at once.
func each(ctx context.Context, found []document, do func(ctx context.Context, id string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, d := range found {
		g.Go(func() error { return do(ctx, d.text("id")) })
	}
	return g.Wait()
}

func (c *Cloud) destroyServers(ctx context.Context, _ *Application, ours func(document) bool) error {
	found, err := find(ctx, c.compute, "servers/detail", "servers", ours)
	if err != nil {
		return err
	}
	return each(ctx, found, func(ctx context.Context, id string) error {
		if err := remove(ctx, c.compute, "servers/"+id); err != nil {
			return err
		}
		return gone(ctx, c.compute, "servers/"+id)
	})
}

func (c *Cloud) destroyVolumes(ctx context.Context, _ *Application, ours func(document) bool) error {
	found, err := find(ctx, c.volume, "volumes/detail", "volumes", ours)
	if err != nil {
		return err
	}
	return each(ctx, found, func(ctx context.Context, id string) error {
		// A volume is in use for a moment longer than its server lives.
		err := until(ctx, "waiting for the volume "+id, func() (bool, error) {
			d, err := call(ctx, c.volume, "GET", "volumes/"+id, nil)
			status := d.doc("volume").text("status")
			return isNotFound(err) || status == "available" || status == "error", ignoreNotFound(err)
		})
		if err != nil {
			return err
		}
		if err := remove(ctx, c.volume, "volumes/"+id); err != nil {
			return err
		}
		return gone(ctx, c.volume, "volumes/"+id)
	})
}

func ignoreNotFound(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}

func (c *Cloud) destroyImages(ctx context.Context, app *Application, ours func(document) bool) error {
	found, err := find(ctx, c.image, "images?limit=1000&visibility=private", "images", func(d document) bool {
		return ours(d) || d.text("id") == app.ServerImage
	})
	if err != nil {
		return err
	}
	return each(ctx, found, c.dropImage)
}

func (c *Cloud) destroyNetworks(ctx context.Context, _ *Application, ours func(document) bool) error {
	addresses, err := find(ctx, c.network, "floatingips", "floatingips", func(d document) bool {
		return ours(document{"name": d["description"]})
	})
	if err != nil {
		return err
	}
	err = each(ctx, addresses, func(ctx context.Context, id string) error { return remove(ctx, c.network, "floatingips/"+id) })
	if err != nil {
		return err
	}
	networks, err := find(ctx, c.network, "networks", "networks", ours)
	if err != nil {
		return err
	}
	routers, err := find(ctx, c.network, "routers", "routers", ours)
	if err != nil {
		return err
	}
	for _, n := range networks {
		ports, err := find(ctx, c.network, "ports?network_id="+n.text("id"), "ports", nil)
		if err != nil {
			return err
		}
		if err := c.clearPorts(ctx, ports, routers); err != nil {
			return err
		}
	}
	if err := each(ctx, routers, func(ctx context.Context, id string) error { return remove(ctx, c.network, "routers/"+id) }); err != nil {
		return err
	}
	return each(ctx, networks, func(ctx context.Context, id string) error { return remove(ctx, c.network, "networks/"+id) })
}

// clearPorts removes the ports of a network, and the routes that need them.
func (c *Cloud) clearPorts(ctx context.Context, ports, routers []document) error {
	for _, r := range routers {
		_, err := call(ctx, c.network, "PUT", "routers/"+r.text("id"), map[string]any{"router": map[string]any{"routes": []any{}}})
		if ignoreNotFound(err) != nil {
			return err
		}
	}
	for _, p := range ports {
		var err error
		switch owner := p.text("device_owner"); {
		case strings.HasPrefix(owner, "network:router_interface"):
			_, err = call(ctx, c.network, "PUT", "routers/"+p.text("device_id")+"/remove_router_interface",
				map[string]any{"port_id": p.text("id")})
		case strings.HasPrefix(owner, "network:"):
		default:
			err = remove(ctx, c.network, "ports/"+p.text("id"))
		}
		if ignoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

func (c *Cloud) destroyAccess(ctx context.Context, app *Application, ours func(document) bool) error {
	groups, err := find(ctx, c.network, "security-groups", "security_groups", ours)
	if err != nil {
		return err
	}
	// Groups may refer to each other: such rules go first.
	for _, g := range groups {
		for _, r := range g.list("security_group_rules") {
			if r.text("remote_group_id") == "" {
				continue
			}
			if err := remove(ctx, c.network, "security-group-rules/"+r.text("id")); err != nil {
				return err
			}
		}
	}
	for _, g := range groups {
		if err := remove(ctx, c.network, "security-groups/"+g.text("id")); err != nil {
			return err
		}
	}
	return remove(ctx, c.compute, "os-keypairs/"+app.Name+key)
}

// DestroyGroup deletes the server group, which Destroy leaves: a restored server is in
// the group of the original if that is still there.
func (c *Cloud) DestroyGroup(ctx context.Context, app *Application) error {
	if app.together == "" {
		return nil
	}
	return remove(ctx, c.compute, "os-server-groups/"+app.together)
}
