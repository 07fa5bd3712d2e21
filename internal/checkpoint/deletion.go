package checkpoint

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor/bank"
)

// Deletions gives when the newest deletion of each project that is remembered was done, by the
// bank's clock: when its tombstone was written. It costs a listing of all states.
func (c *Checkpoints) Deletions(ctx context.Context) (map[string]time.Time, error) {
	newest := map[string]time.Time{}
	var one struct {
		at      string
		project string
		first   int
		written time.Time
	}
	flush := func() {
		// A swept tombstone has lost its first state.
		if one.first > 1 && one.written.After(newest[one.project]) {
			newest[one.project] = one.written
		}
	}
	for marker := ""; ; {
		page, err := c.bank.List(ctx, statesRoot, marker, bank.MaxList)
		if err != nil {
			return nil, fmt.Errorf("looking for deletions: %w", err)
		}
		for _, i := range page {
			marker = i.Key
			parts := strings.Split(strings.TrimPrefix(i.Key, statesRoot), "/")
			if len(parts) != 3 || checkIDs(parts[0], parts[1]) != nil {
				continue
			}
			n, ok := parseSequence(parts[2])
			if !ok {
				continue
			}
			if at := parts[0] + "/" + parts[1]; at != one.at {
				flush()
				one.at, one.project, one.first = at, parts[0], n
			}
			one.written = i.ModTime
		}
		if len(page) < bank.MaxList {
			flush()
			return newest, nil
		}
	}
}
