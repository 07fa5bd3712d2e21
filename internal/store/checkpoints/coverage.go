package checkpoints

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store/rows"
)

// Covering is an available checkpoint as a report on what is protected reads it.
type Covering struct {
	ID, ProviderID, PlanID string
	// CopyOf is the checkpoint that it was copied from, and Bank the copy target in whose
	// bank it lies; both are "" for one that is no copy.
	CopyOf, Bank string
	// DataAt is when its data is from: that of a copy is as old as its original.
	DataAt time.Time
}

// CoveringCheckpoints lists the available checkpoints of a project, the newest first, at
// most limit of them. Two providers that share a bank may both show the same one.
func (s *Store) CoveringCheckpoints(ctx context.Context, projectID string, limit int) ([]Covering, error) {
	found, err := rows.All(ctx, s.db, func(row *sql.Rows) (Covering, error) {
		var c Covering
		err := row.Scan(&c.ID, &c.ProviderID, &c.PlanID, &c.CopyOf, &c.Bank, rows.Time(&c.DataAt))
		return c, err
	}, "SELECT c.id, c.provider_id, c.plan_id, c.copy_of, c.bank, "+dataFrom("c")+` FROM checkpoints c
		WHERE c.project_id = ? AND c.deleted = 0 AND c.status = ? ORDER BY c.created_at DESC, c.id DESC, c.provider_id LIMIT ?`,
		projectID, string(karbor.CheckpointAvailable), limit)
	return found, rows.Failed("listing the checkpoints of a project", err)
}

// CoveredBy is what a checkpoint holds, and what of it was verified.
type CoveredBy struct {
	ID, ProviderID string
	// Graph is the text of its resource graph; "" for one without.
	Graph string
	// VerifiedAt is when it was last verified; zero for never.
	VerifiedAt time.Time
	// Verified is what was found then, by TYPE#id, or TYPE#id@role of what is there for
	// another resource.
	Verified map[string]VerifiedResource
}

// CoveredBy gives what checkpoints of a project hold, in any order: at most as many as one
// statement can name, for whom a hundred is few. One that is not there is left out.
func (s *Store) CoveredBy(ctx context.Context, projectID string, of []Covering) ([]CoveredBy, error) {
	if len(of) == 0 {
		return nil, nil
	}
	args := []any{projectID}
	wanted := map[[2]string]bool{}
	for _, c := range of {
		args = append(args, c.ID)
		wanted[[2]string{c.ID, c.ProviderID}] = true
	}
	in := " IN (" + rows.Repeated("?", len(of)) + ")"
	found, err := rows.All(ctx, s.db.Once(), scanCoveredBy, `SELECT c.id, c.provider_id, c.graph, k.verified_at FROM checkpoints c
		LEFT JOIN keepings k ON k.checkpoint_id = c.id AND k.provider_id = c.provider_id
		WHERE c.project_id = ? AND c.deleted = 0 AND c.id`+in, args...)
	if err != nil {
		return nil, rows.Failed("reading what checkpoints hold", err)
	}
	found = slices.DeleteFunc(found, func(c CoveredBy) bool { return !wanted[[2]string{c.ID, c.ProviderID}] })
	place := make(map[[2]string]int, len(found))
	for i, c := range found {
		place[[2]string{c.ID, c.ProviderID}] = i
	}
	verified, err := rows.All(ctx, s.db.Once(), scanVerifiedOf, `SELECT checkpoint_id, provider_id, resource, depth, good
		FROM verified_resources WHERE project_id = ? AND checkpoint_id`+in, args...)
	for _, v := range verified {
		i, ok := place[v.of]
		if !ok {
			continue
		}
		if found[i].Verified == nil {
			found[i].Verified = map[string]VerifiedResource{}
		}
		found[i].Verified[v.resource] = v.VerifiedResource
	}
	return found, rows.Failed("reading what was verified", err)
}

func scanCoveredBy(row *sql.Rows) (CoveredBy, error) {
	var c CoveredBy
	err := row.Scan(&c.ID, &c.ProviderID, &c.Graph, rows.Time(&c.VerifiedAt))
	if c.Graph == "null" {
		c.Graph = ""
	}
	return c, err
}

// verifiedOf is a row of what was verified, with the checkpoint's id and provider.
type verifiedOf struct {
	of       [2]string
	resource string
	VerifiedResource
}

func scanVerifiedOf(row *sql.Rows) (verifiedOf, error) {
	var v verifiedOf
	var good int64
	err := row.Scan(&v.of[0], &v.of[1], &v.resource, &v.Depth, &good)
	v.Good = good != 0
	return v, err
}
