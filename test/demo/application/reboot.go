package application

import (
	"context"
	"fmt"
	"net/http"
)

// Reboot turns the first server off and on again. In the simulated cloud, its guest then
// writes one other block of 4 KiB to its root disk.
func (c *Cloud) Reboot(ctx context.Context, app *Application) error {
	path := "servers/" + app.First
	if _, err := call(ctx, c.compute, http.MethodPost, path+"/action", map[string]any{"reboot": map[string]any{"type": "HARD"}}); err != nil {
		return fmt.Errorf("rebooting the first server: %w", err)
	}
	if _, err := settled(ctx, c.compute, path, "server", "ACTIVE"); err != nil {
		return fmt.Errorf("rebooting the first server: %w", err)
	}
	return nil
}
