package freezer

import (
	"context"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// Seed implements fabric.Seeder: each project has a scheduler that does all.
func (z *Freezer) Seed(_ context.Context, p fabric.Projects) error {
	for _, project := range []string{p.Admin, p.Demo, p.Other} {
		z.register(project, client{ID: Scheduler, Host: "node-1",
			Actions: []string{"backup", "restore", "info", "admin", "exec"}, Modes: []string{"fs", "cinder", "cindernative", "nova"},
			Storage: []string{"local", "swift", "s3"}, Engines: []string{"tar", "nova", "osbrick"}})
	}
	return nil
}
