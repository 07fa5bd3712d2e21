package config

import "time"

// Janitor says how the cloud is looked through for what operations made for a while and
// nobody knows of any more. The service does so only with Operations.AdminReads.
type Janitor struct {
	// Interval is the time between two rounds; 0 makes none.
	Interval time.Duration `yaml:"interval"`
	// Age is how old a thing must be.
	Age time.Duration `yaml:"age"`
	// Remove has the service remove what it finds; else it tells of it.
	Remove bool `yaml:"remove"`
}

func defaultJanitor() Janitor { return Janitor{Interval: time.Hour, Age: 72 * time.Hour} }

// check gives what is wrong with the values to fault.
func (j Janitor) check(fault func(key, format string, args ...any)) {
	if j.Interval != 0 && j.Interval < time.Minute {
		fault("janitor.interval", "%v is less than a minute; 0 makes no rounds", j.Interval)
	}
	if j.Age < time.Hour {
		fault("janitor.age", "%v is less than an hour", j.Age)
	}
}
