package preflight

import (
	"slices"

	"github.com/karbor/karbor/protection"
)

// Finding is something that a look ahead at a restore has found.
type Finding struct {
	// Resource is the key of the original (TYPE#id), "" for what concerns all of it.
	Resource string
	protection.Finding
}

// Report is what a look ahead at a restore has found: the errors first, then the
// warnings, then what was asked for.
type Report struct {
	ProviderID, CheckpointID string
	Findings                 []Finding
}

// Ready reports whether nothing is in the way of the restore that can be seen now.
func (r Report) Ready() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == protection.SeverityError })
}
