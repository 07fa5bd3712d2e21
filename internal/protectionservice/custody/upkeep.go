package custody

import (
	"cmp"
	"time"
)

// Upkeep says how the banks are looked after.
type Upkeep struct {
	// Interval is the time between two rounds in which the unfinished checkpoints of
	// services that are gone are taken over, and old tombstones removed, and between two
	// looks for what nobody works on; 0 stands for DefaultInterval.
	Interval time.Duration
	// Tombstones is how long a bank remembers a deleted checkpoint; 0 stands for
	// DefaultTombstones.
	Tombstones time.Duration
	// Retry is the time between two tries to get at a bank that can't be used; 0
	// stands for DefaultRetry.
	Retry time.Duration
}

// Defaults of Upkeep.
const (
	DefaultInterval   = 10 * time.Minute
	DefaultTombstones = 30 * 24 * time.Hour
	DefaultRetry      = 15 * time.Second
)

func (u Upkeep) filled() Upkeep {
	return Upkeep{
		Interval:   cmp.Or(u.Interval, DefaultInterval),
		Tombstones: cmp.Or(u.Tombstones, DefaultTombstones),
		Retry:      cmp.Or(u.Retry, DefaultRetry),
	}
}
