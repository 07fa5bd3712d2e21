package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/store"
)

// withLosses adds to what a verification has found of each resource what no look at what is there
// can find: that the checkpoint has gone from its bank meanwhile, or something of it has that was
// there when it became available.
func (s *Service) withLosses(ctx context.Context, w work, rows []store.ResourceRecord) ([]store.ResourceRecord, error) {
	there, err := w.provider.Checkpoints().Overview(ctx, w.op.ProjectID, w.op.CheckpointID)
	all := ""
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		all = fmt.Sprintf("checkpoint %s is not in its bank any more", w.op.CheckpointID)
	case err != nil:
		return nil, fmt.Errorf("looking for checkpoint %s: %w", w.op.CheckpointID, err)
	case there.Status != karbor.CheckpointAvailable:
		all = fmt.Sprintf("checkpoint %s is %s in its bank", w.op.CheckpointID, there.Status)
	}
	reasons := map[karbor.NodeKey]string{}
	if all == "" {
		lost, err := survey.Lost(ctx, w.provider.Checkpoints(), w.op.ProjectID, w.op.CheckpointID)
		if err != nil {
			return nil, err
		}
		for _, l := range lost {
			switch {
			case l.Node == "":
				all = fmt.Sprintf("the list of what checkpoint %s has is damaged or missing in the bank", w.op.CheckpointID)
			case reasons[l.Node] == "":
				reasons[l.Node] = "what is kept of it in the bank is not whole: " + l.Why
			}
		}
	}
	for i, r := range rows {
		why := all
		if reasons[r.Key] != "" {
			why = reasons[r.Key]
		}
		if why != "" && r.State != karbor.ResourceError {
			rows[i].State, rows[i].Reason = karbor.ResourceError, why
		}
	}
	return rows, nil
}
