package karbor

import "time"

// DrillOperation is the operation that restores a checkpoint for a while, to see whether
// it can be restored.
const DrillOperation OperationType = "drill"

// DrillStatus is how far a drill is.
type DrillStatus string

// The states of a drill.
const (
	DrillRunning DrillStatus = "running"
	// DrillFinished has come to its end: its verdict says what was seen.
	DrillFinished DrillStatus = "finished"
	// DrillError has not: its restore failed, it was cancelled, or not all of it could be
	// removed.
	DrillError DrillStatus = "error"
)

// DrillVerdict is what a drill has shown.
type DrillVerdict string

// The verdicts of a drill, of a resource in it, and, but for the last, of a probe.
const (
	// DrillPassed: of each resource something was seen to be right, and nothing wrong.
	DrillPassed DrillVerdict = "passed"
	// DrillFailed: something was seen to be wrong.
	DrillFailed DrillVerdict = "failed"
	// DrillInconclusive: of some resource nothing could be seen.
	DrillInconclusive DrillVerdict = "inconclusive"
)

// Drill is a restore of a checkpoint for a while, in an isolated network, with probes.
type Drill struct {
	ID           string
	ProjectID    string
	ProviderID   string
	CheckpointID string
	PlanID       string
	Probes       DrillProbes
	// Mapping says what takes the place of what in the restore.
	Mapping map[string]any
	Status  DrillStatus
	// Verdict is empty while it runs.
	Verdict DrillVerdict
	// Reason says why the verdict is not passed; empty if it is.
	Reason string
	// Recovery is how long it took, from the start, until the last resource was ready, without
	// what probes took in between; 0 if not all came to be ready.
	Recovery time.Duration
	// Resources are what was found of each, by TYPE#id, once it is over.
	Resources map[string]DrilledResource
	CreatedAt time.Time
	UpdatedAt time.Time
}

// DrilledResource is what a drill has found of a resource.
type DrilledResource struct {
	Verdict DrillVerdict `json:"verdict"`
	// RecoveryMS is how long it took until it was ready, in milliseconds; 0 if it never was.
	RecoveryMS int64 `json:"recovery_ms"`
}

// DrillProbes says which probes a drill makes. A nil one is not made.
type DrillProbes struct {
	// Active looks whether the cloud says that what was restored is in order.
	Active *ActiveProbe `json:"active,omitempty"`
	// Console waits for a text on a server's console.
	Console *ConsoleProbe `json:"console,omitempty"`
	// Volume reads the bytes of restored volumes.
	Volume *VolumeProbe `json:"volume,omitempty"`
	// Port connects to a port of a server through a floating address.
	Port *PortProbe `json:"port,omitempty"`
	// Command waits for the result of a command that the guest runs by itself.
	Command *CommandProbe `json:"command,omitempty"`
}

// ActiveProbe has nothing to choose.
type ActiveProbe struct{}

// ConsoleProbe waits until a line of the console has Pattern.
type ConsoleProbe struct {
	// Pattern is a regular expression (RE2).
	Pattern string `json:"pattern"`
	// Timeout is in seconds, at most MaxProbeTimeout.
	Timeout int `json:"timeout"`
}

// VolumeProbe reads volumes through a temporary image.
type VolumeProbe struct {
	// Digest has all bytes read, and compared with the digest that was recorded when they
	// were protected; else only the file system's own record is looked at.
	Digest bool `json:"digest"`
}

// PortProbe connects by TCP.
type PortProbe struct {
	// Port is from 1 to 65535.
	Port int `json:"port"`
	// Timeout is in seconds, at most MaxProbeTimeout.
	Timeout int `json:"timeout"`
}

// CommandProbe waits for the lines of the guest's hook on the console.
type CommandProbe struct {
	// Timeout is in seconds, at most MaxProbeTimeout.
	Timeout int `json:"timeout"`
}

// MaxProbeTimeout is the longest that a probe may wait, in seconds.
const MaxProbeTimeout = 3600

// DefaultDrillProbes are those of a drill that names none.
func DefaultDrillProbes() DrillProbes {
	return DrillProbes{
		Active: &ActiveProbe{}, Console: &ConsoleProbe{Pattern: "login:", Timeout: 300}, Volume: &VolumeProbe{Digest: true},
	}
}

// LastDrill is the newest drill of a checkpoint that is over.
type LastDrill struct {
	DrillID string
	At      time.Time
	Verdict DrillVerdict
	// Recovery is the time that it took; 0 if not all came to be ready.
	Recovery time.Duration
	// Resources are by TYPE#id.
	Resources map[string]DrilledResource
}
