package config

// OperationLimits are the most operations that may be at work at a time; 0 is no limit. What is
// accepted beyond them waits.
type OperationLimits struct {
	// Service is that of all projects together, Project that of each project, and Provider that of
	// each provider whose file names none.
	Service  int `yaml:"service"`
	Project  int `yaml:"project"`
	Provider int `yaml:"provider"`
}

// defaultProjectOperations is how many operations of a project are at work at a time: four times
// the steps that it has places for, so that more would not make it any faster.
const defaultProjectOperations = 64

func defaultOperationLimits() OperationLimits {
	return OperationLimits{Project: defaultProjectOperations}
}

// check gives what is wrong with the values to fault.
func (l OperationLimits) check(fault func(key, format string, args ...any)) {
	for key, n := range map[string]int{"service": l.Service, "project": l.Project, "provider": l.Provider} {
		if n < 0 {
			fault("operations.limits."+key, "%d is below 0; 0 sets no limit", n)
		}
	}
}

// Transfers bounds what moves bulk data in one process.
type Transfers struct {
	// Shared is how many move at a time, whoever's they are, and Most how many in all: beyond the
	// shared ones, a project that moves none gets a place of its own.
	Shared int `yaml:"shared"`
	Most   int `yaml:"most"`
	// Provider is how many move at a time with each provider whose file names no number; 0 is no limit.
	Provider int `yaml:"provider"`
	// ProjectBytesPerSecond is how much each project moves in a second; 0 is no limit.
	ProjectBytesPerSecond int64 `yaml:"project_bytes_per_second"`
}

func defaultTransfers() Transfers { return Transfers{Shared: 4, Most: 32} }

// leastBytesPerSecond moves a gigabyte in a quarter of an hour.
const leastBytesPerSecond = 1 << 20

// check gives what is wrong with the values to fault.
func (t Transfers) check(fault func(key, format string, args ...any)) {
	if t.Shared < 1 {
		fault("transfers.shared", "%d is less than 1", t.Shared)
	}
	if t.Most < t.Shared {
		fault("transfers.most", "%d is less than transfers.shared, %d", t.Most, t.Shared)
	}
	if t.Provider < 0 {
		fault("transfers.provider", "%d is below 0; 0 sets no limit", t.Provider)
	}
	if n := t.ProjectBytesPerSecond; n != 0 && n < leastBytesPerSecond {
		fault("transfers.project_bytes_per_second", "%d is less than %d; 0 sets no limit", n, leastBytesPerSecond)
	}
}
