package daemon

import "github.com/karbor/karbor"

// Roles are the parts of the service that a process runs. Processes with different roles
// share a database and, if there are several with Protection, an engine's cluster.
type Roles struct {
	// API serves requests.
	API bool
	// Protection carries operations out, and looks after the banks.
	Protection bool
	// Schedules starts scheduled operations.
	Schedules bool
}

// AllRoles are those of a process that is the whole service.
func AllRoles() Roles { return Roles{API: true, Protection: true, Schedules: true} }

// binaries are the names of the roles in the list of services; that of the API is not
// kept.
func (r Roles) binaries() []string {
	var out []string
	if r.Protection {
		out = append(out, karbor.ProtectionBinary)
	}
	if r.Schedules {
		out = append(out, karbor.OperationEngineBinary)
	}
	return out
}
