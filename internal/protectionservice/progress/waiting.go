package progress

import (
	"fmt"
	"time"

	"github.com/karbor/karbor/internal/workflow"
)

// inFront says how many are in front, in words; nothing if nobody knows, which is a negative
// number.
func inFront(n int, what string) string {
	switch {
	case n < 0:
		return ""
	case n == 0:
		return " (it is the next)"
	case n == 1:
		return " (1 other " + what + " is before it)"
	default:
		return fmt.Sprintf(" (%d other %ss are before it)", n, what)
	}
}

func waitsForTransfer(n int) string {
	return "waiting for a free transfer place" + inFront(n, "transfer")
}

// waitOf says what a step waits for, "" if it does not.
func waitOf(step workflow.StepDescription) string {
	switch {
	case step.State != workflow.Pending:
		return ""
	case !step.Waiting.IsZero():
		return "it is tried again at " + step.Waiting.UTC().Format(time.RFC3339)
	case step.Queued:
		return "waiting for a free place of the project" + inFront(step.Before, "step")
	default:
		return ""
	}
}

// waitOfAll says what a whole operation waits for that has not begun.
func waitOfAll(d workflow.Description) string {
	if d.State != workflow.Pending {
		return ""
	}
	return "waiting for its turn" + inFront(d.Before, "operation")
}
