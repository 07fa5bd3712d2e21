package daemon

import (
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/provider"
)

// atWork gives the configured limits of operations to the protection service.
func atWork(l config.OperationLimits) protectionservice.AtWork {
	return protectionservice.AtWork{Service: l.Service, Project: l.Project}
}

// moving gives the configured limits of transfers to the protection service.
func moving(t config.Transfers) protectionservice.Moving {
	return protectionservice.Moving{Shared: t.Shared, Most: t.Most, ProjectBytesPerSecond: t.ProjectBytesPerSecond}
}

// providerLimits gives the limits of providers whose files name none.
func providerLimits(c config.Config) provider.Limits {
	return provider.Limits{Operations: c.Operations.Limits.Provider, Transfers: c.Transfers.Provider}
}
