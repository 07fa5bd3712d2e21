package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
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
	found, err := all(ctx, s.reader, func(rows *sql.Rows) (Covering, error) {
		var c Covering
		err := rows.Scan(&c.ID, &c.ProviderID, &c.PlanID, &c.CopyOf, &c.Bank, timeColumn{&c.DataAt})
		return c, err
	}, "SELECT c.id, c.provider_id, c.plan_id, c.copy_of, c.bank, "+dataFrom("c")+` FROM checkpoints c
		WHERE c.project_id = ? AND c.deleted = 0 AND c.status = ? ORDER BY c.created_at DESC, c.id DESC, c.provider_id LIMIT ?`,
		projectID, string(karbor.CheckpointAvailable), limit)
	return found, failed("listing the checkpoints of a project", err)
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
	in := " IN (?" + strings.Repeat(", ?", len(of)-1) + ")"
	found, err := all(ctx, unprepared{s.reader}, scanCoveredBy, `SELECT c.id, c.provider_id, c.graph, k.verified_at FROM checkpoints c
		LEFT JOIN keepings k ON k.checkpoint_id = c.id AND k.provider_id = c.provider_id
		WHERE c.project_id = ? AND c.deleted = 0 AND c.id`+in, args...)
	if err != nil {
		return nil, failed("reading what checkpoints hold", err)
	}
	found = slices.DeleteFunc(found, func(c CoveredBy) bool { return !wanted[[2]string{c.ID, c.ProviderID}] })
	place := make(map[[2]string]int, len(found))
	for i, c := range found {
		place[[2]string{c.ID, c.ProviderID}] = i
	}
	verified, err := all(ctx, unprepared{s.reader}, scanVerifiedOf, `SELECT checkpoint_id, provider_id, resource, depth, good
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
	return found, failed("reading what was verified", err)
}

func scanCoveredBy(rows *sql.Rows) (CoveredBy, error) {
	var c CoveredBy
	err := rows.Scan(&c.ID, &c.ProviderID, &c.Graph, timeColumn{&c.VerifiedAt})
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

func scanVerifiedOf(rows *sql.Rows) (verifiedOf, error) {
	var v verifiedOf
	var good int64
	err := rows.Scan(&v.of[0], &v.of[1], &v.resource, &v.Depth, &good)
	v.Good = good != 0
	return v, err
}

// UnmadeRun is a run of a scheduled operation that did not do what it should have done.
type UnmadeRun struct {
	karbor.ScheduledRun
	// Name and Type are those of the scheduled operation, PlanID is its plan.
	Name, PlanID string
	Type         karbor.ScheduledOperationType
}

// UnmadeRuns lists the runs of the scheduled operations of a project that were due since a
// time and were left out, dropped or failed, the latest first, as far as the logs still have
// them.
func (s *Store) UnmadeRuns(ctx context.Context, projectID string, since time.Time, limit int) ([]UnmadeRun, error) {
	columns := "r." + strings.ReplaceAll(scheduledRuns.columns, ", ", ", r.")
	found, err := all(ctx, s.reader, func(rows *sql.Rows) (UnmadeRun, error) {
		var u UnmadeRun
		var manual int64
		err := rows.Scan(&u.ID, &u.ScheduledOperationID, &u.ProjectID, timeColumn{&u.ExpectedAt}, &manual, (*string)(&u.State),
			timeColumn{&u.TriggeredAt}, timeColumn{&u.StartedAt}, timeColumn{&u.EndedAt}, &u.CheckpointID, &u.Reason,
			&u.Name, &u.PlanID, (*string)(&u.Type))
		u.Manual = manual != 0
		return u, err
	}, "SELECT "+columns+`, o.name, o.plan_id, o.operation_type FROM scheduled_operations o
		JOIN scheduled_runs r ON r.scheduled_operation_id = o.id
		WHERE o.project_id = ? AND o.deleted = 0 AND r.expected_at >= ? AND r.state IN (?, ?, ?)
		ORDER BY r.expected_at DESC, r.id DESC LIMIT ?`, projectID, micros(since),
		string(karbor.RunSkipped), string(karbor.RunDropped), string(karbor.RunError), limit)
	return found, failed("listing the runs that did not happen", err)
}
