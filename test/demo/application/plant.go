package application

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
)

// PlantByte puts a data volume in the place of the application's that differs
// from it in one bit of the byte at that place.
func (c *Cloud) PlantByte(ctx context.Context, app *Application, at int64) (err error) {
	source, err := c.volumeImage(ctx, app.DataVolume)
	if source != "" {
		defer func() { err = errors.Join(err, c.dropImage(context.WithoutCancel(ctx), source)) }()
	}
	if err != nil {
		return err
	}
	r, err := c.download(ctx, source)
	if err != nil {
		return err
	}
	wrong, err := c.upload(ctx, app.Name+"-wrong-image", flipped(r, at), nil)
	err = errors.Join(err, r.Close())
	if wrong != "" {
		defer func() { err = errors.Join(err, c.dropImage(context.WithoutCancel(ctx), wrong)) }()
	}
	if err != nil {
		return fmt.Errorf("planting a wrong byte: %w", err)
	}
	return c.replaceData(ctx, app, wrong)
}

// PlantProperties changes one property of each kind of resource, and gives the keys
// under which the comparison has to see that and what PlantByte has changed.
func (c *Cloud) PlantProperties(ctx context.Context, app *Application) ([]string, error) {
	port, err := c.portOf(ctx, app.First)
	if err != nil {
		return nil, err
	}
	first := "server " + app.Name + firstServer
	wrong := []struct {
		key, method, path string
		service           *gophercloud.ServiceClient
		body              map[string]any
	}{
		{first + ": metadata", http.MethodPost, "servers/" + app.First + "/metadata", c.compute,
			map[string]any{"metadata": map[string]string{"tier": "wrong"}}},
		{first + ": port 1: security groups", http.MethodPut, "ports/" + port.text("id"), c.network,
			map[string]any{"port": map[string]any{"security_groups": []string{app.Group}}}},
		{"network: tags", http.MethodPut, "networks/" + app.Network + "/tags", c.network, map[string]any{"tags": []string{"wrong"}}},
		{"volume " + app.Name + archive + ": read-only", http.MethodPost, "volumes/" + app.Archive + "/action", c.volume,
			map[string]any{"os-update_readonly_flag": map[string]any{"readonly": false}}},
		{"image: tags", http.MethodPut, "images/" + app.ServerImage + "/tags/wrong", c.image, nil},
	}
	if app.Address != "" {
		wrong = append(wrong, wrong[0])
		last := &wrong[len(wrong)-1]
		last.key, last.method, last.path, last.service = "floating address: tags", http.MethodPut, "floatingips/"+app.Address+"/tags", c.network
		last.body = map[string]any{"tags": []string{"wrong"}}
	}
	var keys []string
	for _, w := range wrong {
		var body any
		if w.body != nil {
			body = w.body
		}
		if _, err := call(ctx, w.service, w.method, w.path, body); err != nil {
			return nil, fmt.Errorf("planting a wrong property, %s: %w", w.key, err)
		}
		keys = append(keys, w.key)
	}
	// Nova lists a server's groups by its ports, and the volume with the wrong byte was
	// made from another image.
	return append(keys, first+": security groups", "volume "+app.Name+dataVolume+": image metadata"), nil
}

// Servers gives the names of the two servers.
func (a *Application) Servers() []string {
	return []string{a.Name + firstServer, a.Name + secondServer}
}
