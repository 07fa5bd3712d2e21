package protection

import (
	"context"
	"fmt"
	"slices"
	"strconv"

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

// Need is a quota of a cloud's that an operation uses. It is comparable.
type Need struct {
	// Quota is the name that the service has for it.
	Quota string
	// Service is what it is told from another service's of this name by; "" for most.
	Service string
	// ShareType is the id or name of the one type of shares that it bounds; "" for all.
	ShareType string
	// VolumeType is the name of the one type of volumes that it bounds; "" for all.
	VolumeType string
	// Snapshots says that it is no quota of its own, but that part of it which snapshots use, where the cloud counts
	// them in it.
	Snapshots bool
}

// The quotas that an operation may use.
var (
	NeedInstances       = Need{Quota: "instances"}
	NeedCores           = Need{Quota: "cores"}
	NeedMemory          = Need{Quota: "ram"} // MiB
	NeedVolumes         = Need{Quota: "volumes"}
	NeedGigabytes       = Need{Quota: "gigabytes"} // of volumes and their snapshots
	NeedSnapshots       = Need{Quota: "snapshots"}
	NeedBackups         = Need{Quota: "backups"}
	NeedBackupGigabytes = Need{Quota: "backup_gigabytes"}
	NeedNetworks        = Need{Quota: "network"}
	NeedSubnets         = Need{Quota: "subnet"}
	NeedRouters         = Need{Quota: "router"}
	NeedPorts           = Need{Quota: "port"}
	NeedFloatingIPs     = Need{Quota: "floatingip"}
	NeedSecurityGroups  = Need{Quota: "security_group"}
	NeedShares          = Need{Quota: "shares"}
	NeedShareGigabytes  = Need{Quota: "gigabytes", Service: "shared file systems"}
	// NeedShareSnapshots and NeedShareSnapshotGigabytes are used by a protect.
	NeedShareSnapshots         = Need{Quota: "snapshots", Service: "shared file systems"}
	NeedShareSnapshotGigabytes = Need{Quota: "snapshot_gigabytes"}
	// NeedShareSize bounds each share by itself, in GiB. It is for NeedSize.
	NeedShareSize = Need{Quota: "per_share_gigabytes"}
)

// OfShareType gives the quota of this name that a project may have for the shares of one
// type, beside that for all of them. It counts only where it is the smaller one.
func (n Need) OfShareType(t string) Need {
	n.ShareType = t
	return n
}

// OfVolumeType gives the quota of this name that a project may have for the volumes of one
// type, beside that for all of them. Both count.
func (n Need) OfVolumeType(t string) Need {
	n.VolumeType = t
	return n
}

// OfSnapshots gives what is told beside the quota of this name: how much of it snapshots use. Not every cloud counts the
// gigabytes of snapshots.
func (n Need) OfSnapshots() Need {
	n.Snapshots = true
	return n
}

// OfAllTypes gives the quota of this name for things of all types.
func (n Need) OfAllTypes() Need {
	n.ShareType, n.VolumeType = "", ""
	return n
}

// String names the quota for a sentence.
func (n Need) String() string {
	text := strconv.Quote(n.Quota)
	if n.Service != "" {
		text += " of the " + n.Service
	}
	if n.ShareType != "" {
		text += fmt.Sprintf(" for the share type %q", n.ShareType)
	}
	if n.VolumeType != "" {
		text += fmt.Sprintf(" for the volume type %q", n.VolumeType)
	}
	return text
}

// Forecast is what a look ahead at the restore, or at the protect, of one resource has found. It is not safe
// for concurrent use.
type Forecast struct {
	Findings []Finding
	// Needs are what the operation will use more of for this resource until its end, or longer: those of
	// all resources add up.
	Needs map[Need]int64
	// Passing are what the resource will use at one time besides, for a while. As what is passing of one
	// resource may come after that of another, only the largest counts.
	Passing map[Need]int64
	// Shared are originals in whose places something is made once in a restore, whichever
	// of its resources needs it: a router, say.
	Shared map[Need][]string
	// Sizes are what the largest thing of the resource has of quotas that bound each thing by itself.
	Sizes map[Need]int64

	remedy string
}

// NewForecast makes a forecast for a call: what the call's NotKept and Mapped are told
// from now on are findings, too.
func NewForecast(call *Call) *Forecast {
	f := &Forecast{Needs: map[Need]int64{}, Passing: map[Need]int64{}, Shared: map[Need][]string{}, Sizes: map[Need]int64{}}
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

// Need adds to what the operation will use.
func (f *Forecast) Need(what Need, amount int64) { f.Needs[what] += amount }

// NeedForAWhile adds to what the operation will use at one time for this resource, and for a while only. A hook that
// finds no room for it must wait while others use that in the same way.
func (f *Forecast) NeedForAWhile(what Need, amount int64) { f.Passing[what] += amount }

// NeedOnce adds something that is made in an original's place once in a restore.
func (f *Forecast) NeedOnce(what Need, original string) {
	f.Shared[what] = append(f.Shared[what], original)
}

// NeedSize tells the size of one thing that a restore makes, where a quota bounds each by itself: a hook need not read it.
func (f *Forecast) NeedSize(what Need, size int64) { f.Sizes[what] = max(f.Sizes[what], size) }

func (f *Forecast) add(finding Finding) {
	if !slices.Contains(f.Findings, finding) {
		f.Findings = append(f.Findings, finding)
	}
}
