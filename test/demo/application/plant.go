package application

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	wrong, err := c.upload(ctx, app.Name+"-wrong-image", flipped(r, at))
	err = errors.Join(err, r.Close())
	if wrong != "" {
		defer func() { err = errors.Join(err, c.dropImage(context.WithoutCancel(ctx), wrong)) }()
	}
	if err != nil {
		return fmt.Errorf("planting a wrong byte: %w", err)
	}
	return c.replaceData(ctx, app, wrong)
}

// PlantProperty changes one metadata item of the first server.
func (c *Cloud) PlantProperty(ctx context.Context, app *Application) error {
	_, err := call(ctx, c.compute, http.MethodPost, "servers/"+app.First+"/metadata", map[string]any{
		"metadata": map[string]string{"tier": "wrong"}})
	if err != nil {
		return fmt.Errorf("planting a wrong property: %w", err)
	}
	return nil
}

// PlantedProperty is the key of what PlantProperty changes.
func PlantedProperty(app *Application) string {
	return "server " + app.Name + firstServer + ": metadata"
}

// Servers gives the names of the two servers.
func (a *Application) Servers() []string {
	return []string{a.Name + firstServer, a.Name + secondServer}
}
