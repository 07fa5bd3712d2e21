package config

import "time"

// Upkeep says how the banks are looked after.
type Upkeep struct {
	// Interval is the time between two rounds through each bank.
	Interval time.Duration `yaml:"interval"`
	// Tombstones is how long a bank remembers a deleted checkpoint.
	Tombstones time.Duration `yaml:"tombstones"`
}

func defaultUpkeep() Upkeep {
	return Upkeep{Interval: 10 * time.Minute, Tombstones: 30 * 24 * time.Hour}
}

// check gives what is wrong with the values to fault.
func (u Upkeep) check(fault func(key, format string, args ...any)) {
	if u.Interval < 10*time.Second {
		fault("upkeep.interval", "%v is less than ten seconds", u.Interval)
	}
	if u.Tombstones < time.Hour {
		fault("upkeep.tombstones", "%v is less than an hour", u.Tombstones)
	}
}
