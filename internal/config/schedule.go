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
