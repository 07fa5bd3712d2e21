package config

import "time"

// PhaseDeadlines are how long nothing may move in one run of a hook, by the phase that it
// belongs to; 0 sets none. What moves may take as long as it needs, and the wait for a turn
// does not count.
type PhaseDeadlines struct {
	// Prepare is for what comes before the transfer: to quiesce, to take snapshots.
	Prepare time.Duration `yaml:"prepare"`
	// Main is for the transfer.
	Main time.Duration `yaml:"main"`
	// Complete is for what comes behind it: to put the parts together.
	Complete time.Duration `yaml:"complete"`
	// Undo is for the removal of what a failed operation has made.
	Undo time.Duration `yaml:"undo"`
}

func defaultOperations() Operations {
	return Operations{
		DelegationLifetime: 48 * time.Hour, Settle: 30 * time.Second, LeftoverTime: 7 * 24 * time.Hour, Deadline: 7 * 24 * time.Hour,
		PhaseDeadlines: PhaseDeadlines{Prepare: 4 * time.Hour, Main: 24 * time.Hour, Complete: 12 * time.Hour, Undo: 12 * time.Hour},
		Limits:         defaultOperationLimits(),
	}
}

// leastPhaseDeadline is more than what a request to a cloud that does not answer, and its
// repeats, take.
const leastPhaseDeadline = 10 * time.Minute

// check gives what is wrong with the values to fault.
func (d PhaseDeadlines) check(fault func(key, format string, args ...any)) {
	for phase, limit := range map[string]time.Duration{"prepare": d.Prepare, "main": d.Main, "complete": d.Complete, "undo": d.Undo} {
		if limit != 0 && limit < leastPhaseDeadline {
			fault("operations.phase_deadlines."+phase, "%v is less than %v; 0 sets none", limit, leastPhaseDeadline)
		}
	}
}
