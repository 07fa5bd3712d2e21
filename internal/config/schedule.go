package config

import "time"

// Triggers are the limits of what tenants may schedule.
type Triggers struct {
	// MinWindow and MaxWindow bound how late a run may begin. MinWindow is also the
	// window of a trigger that names none.
	MinWindow time.Duration `yaml:"min_window"`
	MaxWindow time.Duration `yaml:"max_window"`
	// MinInterval is the least time between two runs of one trigger.
	MinInterval time.Duration `yaml:"min_interval"`
}

func defaultTriggers() Triggers {
	return Triggers{MinWindow: 15 * time.Minute, MaxWindow: 30 * time.Minute, MinInterval: time.Hour}
}

// check gives what is wrong with the values to fault.
func (t Triggers) check(fault func(key, format string, args ...any)) {
	if t.MinWindow < time.Second || t.MinWindow%time.Second != 0 {
		fault("triggers.min_window", "%v is not a whole number of seconds, at least one", t.MinWindow)
	}
	if t.MaxWindow < t.MinWindow {
		fault("triggers.max_window", "%v is less than triggers.min_window, %v", t.MaxWindow, t.MinWindow)
	}
	if t.MinInterval < time.Minute {
		fault("triggers.min_interval", "%v is less than a minute", t.MinInterval)
	}
}

// Services say how the parts of Karbor report that they run.
type Services struct {
	// Host is the name of this machine in the list of services; "" takes the
	// machine's own.
	Host string `yaml:"host"`
	// ReportInterval is how often a service reports, DownTime how long after its
	// last report it counts as down.
	ReportInterval time.Duration `yaml:"report_interval"`
	DownTime       time.Duration `yaml:"down_time"`
}

func defaultServices() Services {
	return Services{ReportInterval: 10 * time.Second, DownTime: time.Minute}
}

// check gives what is wrong with the values to fault.
func (s Services) check(fault func(key, format string, args ...any)) {
	if len(s.Host) > 255 {
		fault("services.host", "it has %d characters, and may have 255", len(s.Host))
	}
	if s.ReportInterval < time.Second {
		fault("services.report_interval", "%v is less than a second", s.ReportInterval)
	}
	if s.DownTime < 2*s.ReportInterval {
		fault("services.down_time", "%v is less than twice services.report_interval, %v", s.DownTime, s.ReportInterval)
	}
}

// Schedules say how scheduled operations are run.
type Schedules struct {
	// Workers is how many operations are started at a time.
	Workers int `yaml:"workers"`
	// KeptRuns is how many runs of a scheduled operation its log keeps that are over.
	KeptRuns int `yaml:"kept_runs"`
	// DelegationLifetime is that of the trusts by which they act as their users; 0 for
	// no end. A trust can't be prolonged, only be replaced by its user.
	DelegationLifetime time.Duration `yaml:"delegation_lifetime"`
	// WithheldRoles are the roles that such a trust leaves out, unless a user has no
	// others.
	WithheldRoles []string `yaml:"withheld_roles"`
	// ProbeInterval is how often it is tried whether a trust still works.
	ProbeInterval time.Duration `yaml:"probe_interval"`
}

func defaultSchedules() Schedules {
	return Schedules{Workers: 32, KeptRuns: 5, WithheldRoles: []string{"admin", "manager", "service"}, ProbeInterval: 6 * time.Hour}
}

// check gives what is wrong with the values to fault.
func (s Schedules) check(fault func(key, format string, args ...any)) {
	if s.Workers < 1 || s.Workers > 1000 {
		fault("schedules.workers", "%d is not from 1 to 1000", s.Workers)
	}
	if s.KeptRuns < 1 || s.KeptRuns > 1000 {
		fault("schedules.kept_runs", "%d is not from 1 to 1000", s.KeptRuns)
	}
	if s.DelegationLifetime != 0 && s.DelegationLifetime < 24*time.Hour {
		fault("schedules.delegation_lifetime", "%v is neither 0 nor at least a day", s.DelegationLifetime)
	}
	if s.ProbeInterval < time.Minute {
		fault("schedules.probe_interval", "%v is less than a minute", s.ProbeInterval)
	}
}
