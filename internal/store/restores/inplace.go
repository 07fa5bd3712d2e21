package restores

import (
	"context"
	"database/sql"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/operations"
	"github.com/karbor/karbor/internal/store/rows"
)

// MeetsNoOther makes sure that an operation which overwrites originals, or which reads them
// to protect them, meets no unfinished one that overwrites them, nor, if it overwrites, one
// that protects them. The safety checkpoint of a restore in place is accepted before it, or
// with it, and is no hindrance. It is to be called before the operation itself is kept.
func MeetsNoOther(ctx context.Context, t *rows.Tx, o *operations.Operation) error {
	overwrites := o.Type == karbor.RestoreOperation && o.Choices.InPlace
	if !overwrites && o.Type != karbor.Protect || o.Graph == nil {
		return nil
	}
	own := map[string]bool{}
	for _, n := range o.Graph.Nodes() {
		own[n.Resource.Key()] = true
	}
	restores, err := rows.All(ctx, t, scanUnderWay, `SELECT o.restore_id, o.choices, o.graph FROM restores r
		JOIN operations o ON o.restore_id = r.id AND o.ended_at IS NULL
		WHERE r.project_id = ? AND r.deleted = 0 AND r.status = ? AND r.choices IS NOT NULL`,
		o.ProjectID, string(karbor.RestoreInProgress))
	if err != nil {
		return err
	}
	for _, u := range restores {
		if n := u.shares(own); n != nil && u.choices.InPlace {
			return karbor.Errorf(karbor.Conflict, "the %s %s is being overwritten by the restore %s; wait until that is over", n.Type.Word(), n.ID, u.id)
		}
	}
	if !overwrites {
		return nil
	}
	protects, err := rows.All(ctx, t, scanUnderWay, `SELECT c.id, o.choices, o.graph FROM checkpoints c
		JOIN operations o ON o.checkpoint_id = c.id AND o.provider_id = c.provider_id AND o.operation_type = ? AND o.ended_at IS NULL
		WHERE c.project_id = ? AND c.deleted = 0 AND c.status = ? AND c.id <> ?`,
		string(karbor.Protect), o.ProjectID, string(karbor.CheckpointProtecting), o.Choices.SafetyCheckpointID)
	if err != nil {
		return err
	}
	for _, u := range protects {
		if n := u.shares(own); n != nil {
			return karbor.Errorf(karbor.Conflict, "the %s %s is being protected, as the checkpoint %s; it can be overwritten when that is over", n.Type.Word(), n.ID, u.id)
		}
	}
	return nil
}

// underWay is an unfinished operation, by the id of what it makes.
type underWay struct {
	id      string
	choices karbor.RestoreChoices
	graph   *karbor.Graph
}

// shares gives the first node of which the resource is among those given, by their keys.
func (u underWay) shares(resources map[string]bool) *karbor.Node {
	if u.graph == nil {
		return nil
	}
	for _, n := range u.graph.Nodes() {
		if resources[n.Resource.Key()] {
			return n
		}
	}
	return nil
}

func scanUnderWay(row *sql.Rows) (underWay, error) {
	var u underWay
	err := row.Scan(&u.id, rows.Document(&u.choices), rows.Graph(&u.graph))
	return u, err
}
