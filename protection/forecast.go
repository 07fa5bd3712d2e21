package protection

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
)

// Severity says how bad a Finding is.
type Severity string

const (
	// SeverityError is what the restore would fail for.
	SeverityError Severity = "error"
	// SeverityWarning is what would not be as it was.
	SeverityWarning Severity = "warning"
	// SeverityInfo is what the tenant asked for.
	SeverityInfo Severity = "info"
)

// Finding is something that a look ahead at a restore has found.
type Finding struct {
	Severity Severity
	// Message is a sentence for the tenant, Remedy what he can do; it may be empty.
	Message, Remedy string
}

// Need is a quota of a cloud's that a restore uses, by the name that the service has for
// it.
type Need string

// The quotas that a restore may use.
const (
	NeedInstances      Need = "instances"
	NeedCores          Need = "cores"
	NeedMemory         Need = "ram" // MiB
	NeedVolumes        Need = "volumes"
	NeedGigabytes      Need = "gigabytes"
	NeedNetworks       Need = "network"
	NeedSubnets        Need = "subnet"
	NeedRouters        Need = "router"
	NeedPorts          Need = "port"
	NeedFloatingIPs    Need = "floatingip"
	NeedSecurityGroups Need = "security_group"
)

// Forecast is what a look ahead at the restore of one resource has found. It is not safe
// for concurrent use.
type Forecast struct {
	Findings []Finding
	// Needs are what the restore of this resource will use more of.
	Needs map[Need]int64
	// Shared are originals in whose places something is made once in a restore, whichever
	// of its resources needs it: a router, say.
	Shared map[Need][]string

	remedy string
}

// NewForecast makes a forecast for a call: what the call's NotKept and Mapped are told
// from now on are findings, too.
func NewForecast(call *Call) *Forecast {
	f := &Forecast{Needs: map[Need]int64{}, Shared: map[Need][]string{}}
	call.NotKept = func(sentence string) { f.add(Finding{SeverityWarning, sentence, f.remedy}) }
	call.Mapped = func(sentence string) { f.add(Finding{SeverityInfo, sentence, ""}) }
	return f
}

// Look has a part of the restore looked at; remedy is what the tenant can do about all
// that is found by it. What fails is a finding; the error is one that may pass, or of
// a context that has ended.
func (f *Forecast) Look(ctx context.Context, remedy string, part func(context.Context) error) error {
	outer := f.remedy
	f.remedy = remedy
	err := part(ctx)
	f.remedy = outer
	if err == nil {
		return nil
	}
	if karbor.IsTransient(err) || ctx.Err() != nil {
		return err
	}
	f.add(Finding{SeverityError, karbor.Sentence(err), remedy})
	return nil
}

// Warn adds a finding that does not stop the restore.
func (f *Forecast) Warn(message string) { f.add(Finding{SeverityWarning, message, f.remedy}) }

// Need adds to what the restore will use.
func (f *Forecast) Need(what Need, amount int64) { f.Needs[what] += amount }

// NeedOnce adds something that is made in an original's place once in a restore.
func (f *Forecast) NeedOnce(what Need, original string) {
	f.Shared[what] = append(f.Shared[what], original)
}

func (f *Forecast) add(finding Finding) {
	if !slices.Contains(f.Findings, finding) {
		f.Findings = append(f.Findings, finding)
	}
}
