package application

import (
	"context"
	"net/http"
)

// createArchive makes a small volume that is read-only and has image metadata.
func (c *Cloud) createArchive(ctx context.Context, app *Application) error {
	v, err := create(ctx, c.volume, "volumes", "volume", map[string]any{
		"name": app.Name + archive, "size": gibibytes, "metadata": map[string]string{"year": "2025"}, "description": "what nobody may change"})
	if err != nil {
		return err
	}
	app.Archive = v.text("id")
	path := "volumes/" + app.Archive
	if _, err := settled(ctx, c.volume, path, "volume", "available"); err != nil {
		return err
	}
	for _, action := range []map[string]any{
		{"os-set_image_metadata": map[string]any{"metadata": map[string]string{"hw_disk_bus": "virtio", "demo_note": "an archive"}}},
		{"os-set_bootable": map[string]any{"bootable": true}},
		{"os-update_readonly_flag": map[string]any{"readonly": true}},
	} {
		if _, err := call(ctx, c.volume, http.MethodPost, path+"/action", action); err != nil {
			return err
		}
	}
	return nil
}

// Archived gives the name of the volume that no server has.
func (a *Application) Archived() string { return a.Name + archive }
