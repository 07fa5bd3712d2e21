package verify

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
)

// losses are what no look at what is there can find.
type losses struct {
	// all is true of each resource, and of has what is true of one more than that.
	all string
	of  map[karbor.NodeKey]string
	// note is told of each resource that is good. It is no fault of what is there.
	note string
}

// lossesOf looks whether the checkpoint that a verification is of has gone from its bank meanwhile,
// or something of it that was there when it became available.
func lossesOf(ctx context.Context, w running.Work, log *slog.Logger) (losses, error) {
	out := losses{of: map[karbor.NodeKey]string{}}
	there, err := w.Provider.Checkpoints().Overview(ctx, w.Op.ProjectID, w.Op.CheckpointID)
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		out.all = fmt.Sprintf("checkpoint %s is not in its bank any more", w.Op.CheckpointID)
		return out, nil
	case err != nil:
		return out, fmt.Errorf("looking for checkpoint %s: %w", w.Op.CheckpointID, err)
	case there.Status != karbor.CheckpointAvailable:
		out.all = fmt.Sprintf("checkpoint %s is %s in its bank", w.Op.CheckpointID, there.Status)
		return out, nil
	}
	found, err := survey.Lost(ctx, w.Provider.Checkpoints(), there)
	if err != nil {
		return out, err
	}
	if found.Closed {
		out.note = fmt.Sprintf(untold, w.Op.CheckpointID, "is sealed, and its key is not here")
	}
	for _, l := range found.Lost {
		switch {
		case l.Node == "":
			out.note = fmt.Sprintf(untold, w.Op.CheckpointID, "is damaged or missing in the bank")
			log.WarnContext(ctx, "a checkpoint has lost its list of contents", "operation", w.Op.ID, "checkpoint", w.Op.CheckpointID, "key", l.Place, "reason", l.Why)
		case out.of[l.Node] == "":
			out.of[l.Node] = "what is kept of it in the bank is not whole: " + l.Why
		}
	}
	return out, nil
}

// untold is the note where nobody knows what is missing.
const untold = "what is there of it is good; whether something is missing can't be told, as the list of what checkpoint %s has %s"

// mark adds what is lost to what a verification has found of each resource.
func (l losses) mark(rows []store.ResourceRecord) []store.ResourceRecord {
	for i, r := range rows {
		if why := cmp.Or(l.of[r.Key], l.all); why != "" && r.State != karbor.ResourceError {
			rows[i].State, rows[i].Reason = karbor.ResourceError, why
		}
	}
	return rows
}

// tell adds the note to how a verification ends.
func (l losses) tell(o *store.Outcome) {
	for key, state := range o.ResourcesStatus {
		if l.note != "" && state == karbor.ResourceVerified {
			o.ResourcesReason[key] = l.note
		}
	}
}
