// Package evidence is the record that a restore drill leaves behind: what was restored, what
// was looked at, from where, with which result, and how long it took. It is canonical JSON
// (RFC 8785) with an Ed25519 signature (RFC 8032), so that whoever has the public key can tell,
// without the service, that not a byte of it was changed. docs/format/evidence.md is its
// specification.
package evidence

import (
	"time"

	"github.com/karbor/karbor"
)

// Format names the format of a record, with its version.
const Format = "karbor-drill-evidence-1"

// Record is what a drill has shown. All lists are in the order of the checkpoint's graph. Times
// are UTC, in RFC 3339 with milliseconds; spans are in milliseconds.
type Record struct {
	Format    string `json:"format"`
	DrillID   string `json:"drill_id"`
	ProjectID string `json:"project_id"`
	// ProviderID and Bank say where the checkpoint lies; Bank is "main" or a copy target.
	ProviderID string     `json:"provider_id"`
	Bank       string     `json:"bank"`
	Checkpoint Checkpoint `json:"checkpoint"`
	// Service is the version of the program that wrote the record.
	Service   string `json:"service"`
	StartedAt Time   `json:"started_at"`
	EndedAt   Time   `json:"ended_at"`
	// Verdict is passed, failed or inconclusive; Reasons say why, if it is not passed.
	Verdict karbor.DrillVerdict `json:"verdict"`
	Reasons []string            `json:"reasons"`
	// RecoveryMS is the time until the last resource was ready, without what probes took in
	// between; 0 if not all came to be ready.
	RecoveryMS int64   `json:"recovery_ms"`
	Phases     []Phase `json:"phases"`
	// Resources are those that were restored, LeftOut those of the checkpoint that were not.
	Resources []Resource `json:"resources"`
	LeftOut   []LeftOut  `json:"left_out"`
	// Removed says that nothing is left of what the drill made; if not, Left says what is.
	Removed bool     `json:"removed"`
	Left    []string `json:"left"`
}

// Checkpoint is what was drilled.
type Checkpoint struct {
	ID        string `json:"id"`
	CreatedAt Time   `json:"created_at"`
	PlanID    string `json:"plan_id"`
	PlanName  string `json:"plan_name"`
}

// Phase is a part of a drill, or of what was done to a resource.
type Phase struct {
	Name      string `json:"name"`
	StartedAt Time   `json:"started_at"`
	// EndedAt is the zero time, written as "", for one that was cut off.
	EndedAt Time `json:"ended_at"`
}

// Resource is what was found of one resource.
type Resource struct {
	// Resource is TYPE#id of the original, Name its name.
	Resource string `json:"resource"`
	Name     string `json:"name"`
	// NewID is the id that it had while the drill ran; "" if it was not made.
	NewID   string              `json:"new_id"`
	Verdict karbor.DrillVerdict `json:"verdict"`
	Reason  string              `json:"reason"`
	// ReadyMS is the time from the start until it was ready, without what probes took in
	// between; 0 if it never was.
	ReadyMS int64    `json:"ready_ms"`
	NotKept []string `json:"not_kept"`
	Mapped  []string `json:"mapped"`
	Phases  []Phase  `json:"phases"`
	Probes  []Probe  `json:"probes"`
}

// Result is what came of a probe.
type Result string

// The results of a probe. What could not be looked at is Impossible, never Passed.
const (
	Passed     Result = "passed"
	Failed     Result = "failed"
	Impossible Result = "impossible"
)

// Probe is one look at a restored resource.
type Probe struct {
	// Probe is active, console, volume, port or command.
	Probe string `json:"probe"`
	// Target says what was looked at, Origin from where.
	Target string `json:"target"`
	Origin string `json:"origin"`
	At     Time   `json:"at"`
	Result Result `json:"result"`
	// Reason says what was seen, or why it could not be.
	Reason string `json:"reason"`
}

// LeftOut is a resource that the drill did not restore.
type LeftOut struct {
	Resource string `json:"resource"`
	Name     string `json:"name"`
	Reason   string `json:"reason"`
}

// Time is a time as a record has it.
type Time struct{ time.Time }

// layout is that of RFC 3339, in UTC, with milliseconds.
const layout = "2006-01-02T15:04:05.000Z"

// MarshalText implements encoding.TextMarshaler; the zero time is "".
func (t Time) MarshalText() ([]byte, error) {
	if t.IsZero() {
		return []byte{}, nil
	}
	return t.UTC().AppendFormat(nil, layout), nil
}

// MarshalJSON implements json.Marshaler: the embedded time's own form has other digits.
func (t Time) MarshalJSON() ([]byte, error) {
	text, err := t.MarshalText()
	return append(append([]byte{'"'}, text...), '"'), err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		t.Time = time.Time{}
		return nil
	}
	t.Time, err = time.Parse(layout, string(text))
	return err
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(text []byte) error {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return karbor.Errorf(karbor.Invalid, "a time must be a text")
	}
	return t.UnmarshalText(text[1 : len(text)-1])
}
