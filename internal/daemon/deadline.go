package daemon

import (
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
)

// phaseLimits gives the configured limits to the protection service.
func phaseLimits(d config.PhaseDeadlines) deadline.Limits {
	return deadline.Limits{Prepare: d.Prepare, Main: d.Main, Complete: d.Complete, Undo: d.Undo}
}
