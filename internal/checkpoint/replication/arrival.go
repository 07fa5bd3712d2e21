package replication

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/verification"
)

// Arrival says how what has arrived is looked at: every document is read, every reference and
// pack size checked, and each pack hashed that State does not know.
type Arrival struct {
	// State holds which packs of the target were found good before, and is told of others.
	State *verification.State
	// Since is the time before which what State holds does not count.
	Since time.Time
	// Moved, if not nil, hears that more of it was looked at: that takes long where much is there,
	// and no bytes of streams are done meanwhile. It may be called concurrently.
	Moved func()
}

func (a *Arrival) moved() {
	if a.Moved != nil {
		a.Moved()
	}
}

// arrived looks at what was sent, whatever a listing of the target says of it.
func (p passage) arrived(ctx context.Context, documents map[karbor.NodeKey][]string, streams []survey.Stream) error {
	for _, s := range streams {
		there, err := p.To.streams(p.project, p.to, s.Node)
		if err != nil {
			return err
		}
		there = there.Verifying(verification.Options{Depth: verification.Stored, State: p.Arrival.State, Since: p.Arrival.Since})
		if err := there.Verify(ctx, s.Name, func(int64, int64) { p.Arrival.moved() }); err != nil {
			return fmt.Errorf("verifying the stream %s of %s on arrival: %w", s.Name, s.Node, err)
		}
	}
	for node, keys := range documents {
		d, err := p.To.Checkpoints.Documents(p.project, p.to, node)
		if err != nil {
			return err
		}
		for _, key := range keys {
			var text json.RawMessage
			if err := d.GetJSON(ctx, key, &text); err != nil {
				return fmt.Errorf("verifying the document %s of %s on arrival: %w", key, node, err)
			}
			p.Arrival.moved()
		}
	}
	return nil
}
