package protectionservice

import (
	"fmt"
	"maps"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// streamOf names the hook that a stream belongs to.
type streamOf struct {
	operation string
	key       karbor.NodeKey
}

// waiting gives, for the streams of an operation that wait for a place, how many are
// granted one before each, if nobody else comes: the project that moves the least is
// next each time.
func (t *transfers) waiting(operation string) map[karbor.NodeKey]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := make([]*waiter, 0, len(t.queue))
	mine := 0
	for _, w := range t.queue {
		if queue = append(queue, w); w.of.operation == operation {
			mine++
		}
	}
	if mine == 0 {
		return nil
	}
	out := make(map[karbor.NodeKey]int, mine)
	moving := maps.Clone(t.moving)
	for before := 0; mine > 0; before++ {
		next := 0
		for i, w := range queue {
			if moving[w.project] < moving[queue[next].project] {
				next = i
			}
		}
		w := queue[next]
		queue = append(queue[:next], queue[next+1:]...)
		moving[w.project]++
		if w.of.operation == operation {
			mine--
			if _, known := out[w.of.key]; !known {
				out[w.of.key] = before
			}
		}
	}
	return out
}

// inFront says how many are in front, in words.
func inFront(n int, what string) string {
	switch n {
	case 0:
		return "it is the next"
	case 1:
		return "1 other " + what + " is before it"
	default:
		return fmt.Sprintf("%d other %ss are before it", n, what)
	}
}

func waitsForTransfer(n int) string {
	return "waiting for a free transfer place (" + inFront(n, "transfer") + ")"
}

// waitOf says what a step waits for, "" if it does not.
func waitOf(step workflow.StepDescription) string {
	switch {
	case step.State != workflow.Pending:
		return ""
	case !step.Waiting.IsZero():
		return "it is tried again at " + step.Waiting.UTC().Format(time.RFC3339)
	case step.Queued:
		return "waiting for a free place of the project (" + inFront(step.Before, "step") + ")"
	default:
		return ""
	}
}

// waitOfAll says what a whole operation waits for that has not begun.
func waitOfAll(d workflow.Description) string {
	if d.State != workflow.Pending {
		return ""
	}
	return "waiting for its turn (" + inFront(d.Before, "operation") + ")"
}
