package replication

import (
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
)

// whole makes sure that the streams that were listed are all that a checkpoint counts: a listing
// says nothing of a manifest that is lost, or that it does not show yet.
func (c *Copier) whole(cp karbor.Checkpoint, streams []survey.Stream) error {
	if !c.Counted {
		return nil
	}
	var total int64
	listed := map[karbor.NodeKey]int64{}
	for _, s := range streams {
		total += s.Size
		listed[s.Node] += s.Size
	}
	for _, n := range cp.Graph.Nodes() {
		counted := n.Resource.Key()
		if n.Role != "" {
			counted += "@" + n.Role
		}
		if want := cp.Figures[counted].Size; listed[n.Key()] < want {
			return c.lacking(cp, "the data of "+string(n.Key()), listed[n.Key()], want)
		}
	}
	// One of which no figures are kept has its whole size all the same.
	if total < cp.Size {
		return c.lacking(cp, "the data of all its resources", total, cp.Size)
	}
	return nil
}

// lacking says that less is listed than a checkpoint counts. Where listings lag, the rest may
// show later.
func (c *Copier) lacking(cp karbor.Checkpoint, what string, listed, want int64) error {
	if c.From.Lags {
		return karbor.Transientf("checkpoint %s: the bank lists %d of %d bytes of %s so far", cp.ID, listed, want, what)
	}
	return &checkpoint.DamageError{ProjectID: cp.ProjectID, ID: cp.ID, Err: fmt.Errorf("of %s, %d of %d bytes are there", what, listed, want)}
}
