package karbor

import (
	"encoding/json"
	"strconv"
	"strings"
)

// KeepRules say how many checkpoints are kept beyond the limits, by the time at which
// they were made: the newest of each of the newest so many hours, days, and so on in
// which one was made. Zero asks for nothing.
type KeepRules struct {
	Hourly, Daily, Weekly, Monthly, Yearly int
	// Minimum is how many of the newest good ones are kept whatever else is said.
	Minimum int
}

// RetentionRules say which checkpoints of a plan are kept. The zero value keeps all.
type RetentionRules struct {
	// MaxBackups is how many of the newest are kept, and RetentionDuration for how many
	// days; 0 sets no such limit. What is beyond either goes, unless Keep keeps it.
	// Without a limit, what Keep does not keep goes.
	MaxBackups        int
	RetentionDuration int
	Keep              KeepRules
	// Timezone is the IANA name of the zone whose hours, days, weeks (from Monday on),
	// months and years Keep counts; "" is UTC.
	Timezone string
	// Manual has the rules hold for checkpoints that a tenant asked for, too. Otherwise
	// they hold for those that a schedule made.
	Manual bool
}

// Limited reports whether the rules let anything go.
func (r RetentionRules) Limited() bool {
	k := r.Keep
	return r.MaxBackups > 0 || r.RetentionDuration > 0 || k.Hourly > 0 || k.Daily > 0 || k.Weekly > 0 || k.Monthly > 0 || k.Yearly > 0
}

// Retention gives the rules of a definition, which counts days and the like in a zone.
func (d OperationDefinition) Retention(timezone string) RetentionRules {
	return RetentionRules{
		MaxBackups: d.MaxBackups, RetentionDuration: d.RetentionDuration, Keep: d.Keep,
		Timezone: timezone, Manual: d.Manual,
	}
}

// truth is true or false that is written as a text, and read from a text or as it is.
type truth bool

// MarshalJSON implements json.Marshaler.
func (t truth) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatBool(bool(t)))
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *truth) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(strings.Trim(string(text), `"`)) {
	case "true":
		*t = true
	case "false":
		*t = false
	case "null":
	default:
		return Errorf(Invalid, "%.40s is neither true nor false", text)
	}
	return nil
}
