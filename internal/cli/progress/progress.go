// Package progress shows how far an operation is with each of its resources:
// as one bar for each on a terminal, and as plain lines elsewhere.
package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// Display shows progress. It is for use by one goroutine.
type Display interface {
	// Update shows the newest state.
	Update(progress []client.Progress)
	// Close ends the display and leaves its last state standing.
	Close()
}

// New makes bars for a terminal, else lines. now gives the time.
func New(w io.Writer, terminal bool, now func() time.Time) Display {
	if terminal {
		return newBars(w)
	}
	return newLines(w, now)
}

// Quiet shows nothing.
type Quiet struct{}

// Update implements Display.
func (Quiet) Update([]client.Progress) {}

// Close implements Display.
func (Quiet) Close() {}

func key(p client.Progress) string { return string(p.Type) + "#" + p.ID }

func title(p client.Progress) string {
	name := p.Name
	if name == "" {
		name = p.ID
	}
	return strings.TrimSpace(p.Type.Word() + " " + name)
}

// over reports whether nothing further comes for the resource.
func over(p client.Progress) bool {
	switch p.State {
	case karbor.ResourceAvailable, karbor.ResourceDeleted, karbor.ResourceError:
		return true
	default:
		return false
	}
}

// state says in words how far a resource is.
func state(p client.Progress) string {
	s := string(p.State)
	if p.Phase != "" && !over(p) {
		s += " (" + p.Phase + ")"
	}
	switch {
	case p.BytesTotal > 0 && p.BytesDone >= p.BytesTotal:
		s += " " + Size(p.BytesTotal)
	case p.BytesTotal > 0:
		s += fmt.Sprintf(" %s of %s", Size(p.BytesDone), Size(p.BytesTotal))
	case p.BytesDone > 0:
		s += " " + Size(p.BytesDone)
	}
	if p.BytesPerSecond > 0 && !over(p) {
		s += ", " + Size(p.BytesPerSecond) + "/s"
		if p.SecondsLeft > 0 {
			s += fmt.Sprintf(", about %s left", time.Duration(p.SecondsLeft)*time.Second)
		}
	}
	switch {
	case p.Reason != "" && p.Waiting != "":
		s += ": " + p.Reason + "; " + p.Waiting
	case p.Reason != "" || p.Waiting != "":
		s += ": " + p.Reason + p.Waiting
	}
	return s
}

// Size writes a number of bytes in binary units, such as "1.5 GiB".
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, names := float64(n)/unit, "KMGTPE"
	for len(names) > 1 && value >= unit {
		value, names = value/unit, names[1:]
	}
	return fmt.Sprintf("%.1f %ciB", value, names[0])
}
