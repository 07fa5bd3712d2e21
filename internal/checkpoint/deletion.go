package checkpoint

import (
	"context"
	"fmt"
	"time"
)

// Deletions gives when the newest deletion of each project that is remembered was done, by the
// bank's clock: when its tombstone was written. It costs a listing of all states.
func (c *Checkpoints) Deletions(ctx context.Context) (map[string]time.Time, error) {
	newest := map[string]time.Time{}
	err := c.eachStateInfo(ctx, statesRoot, "", func(project, _ string, states []stateInfo) error {
		// A swept tombstone has lost its first state.
		if written := states[len(states)-1].ModTime; states[0].number > 1 && written.After(newest[project]) {
			newest[project] = written
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for deletions: %w", err)
	}
	return newest, nil
}
