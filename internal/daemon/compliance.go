package daemon

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/compliance"
	"github.com/karbor/karbor/internal/trigger"
)

// reports gives what tells tenants how their resources are protected.
func (d *Daemon) reports(o Options) *compliance.Reporter {
	return compliance.New(compliance.Options{
		Store: d.store, Finders: d.protectables, Triggers: trigger.Limits(o.Config.Triggers), Now: o.Now,
		Protects: func(providerID string, t karbor.ResourceType) bool {
			for _, p := range d.providers {
				if p.ID == providerID {
					return p.Protects(t)
				}
			}
			return false
		},
	})
}
