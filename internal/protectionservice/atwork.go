package protectionservice

import (
	"github.com/karbor/karbor/internal/protectionservice/dispatch"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/provider"
)

// AtWork are the most operations that may be at work at a time; 0 is no limit.
type AtWork struct {
	// Service is that of all projects together, Project that of each.
	Service, Project int
}

// with adds what the providers say.
func (w AtWork) with(providers []*provider.Provider) dispatch.Limits {
	l := dispatch.Limits{Service: w.Service, Project: w.Project, Providers: map[string]int{}}
	for _, p := range providers {
		l.Providers[p.ID] = p.Limits().Operations
	}
	return l
}

// Moving bounds what moves bulk data in this process.
type Moving struct {
	// Shared is how many streams move at a time, and Most how many in all, with those of projects
	// that move no other; 0 stands for 4 and 32.
	Shared, Most int
	// ProjectBytesPerSecond is how much each project moves in a second; 0 is no limit.
	ProjectBytesPerSecond int64
}

// with adds what the providers say.
func (m Moving) with(providers []*provider.Provider) transfer.Bounds {
	b := transfer.Bounds{
		Shared: m.Shared, Most: m.Most, ProjectBytesPerSecond: m.ProjectBytesPerSecond, Providers: map[string]int{},
	}
	for _, p := range providers {
		b.Providers[p.ID] = p.Limits().Transfers
	}
	return b
}
