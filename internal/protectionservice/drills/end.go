package drills

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/proof"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// EndWell ends a drill whose steps have all run.
func (s *Steps) EndWell(ctx context.Context, op store.Operation) error {
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return err
	}
	o := store.Outcome{Records: make(map[karbor.NodeKey]store.RecordOutcome, len(rows))}
	for _, r := range rows {
		o.Records[r.Key] = store.RecordOutcome{State: karbor.ResourceDeleted}
	}
	if err := s.Conclude(ctx, op, rows, outcome.Failures{}, &o); err != nil {
		return err
	}
	return s.operations.End(ctx, op, o)
}

// Conclude adds to the outcome of a drill its record, with what it says.
func (s *Steps) Conclude(ctx context.Context, op store.Operation, rows []store.ResourceRecord, why outcome.Failures, o *store.Outcome) error {
	c, err := s.course(ctx, op, rows, why)
	if err != nil {
		return err
	}
	record := drill.Report(c)
	c.Drill.Status = karbor.DrillFinished
	if c.Failed != "" || c.Cancelled != "" || !record.Removed {
		c.Drill.Status = karbor.DrillError
	}
	var file []byte
	if s.config.Signer != nil {
		place := func() (*provider.Provider, error) { return s.operations.Place(op) }
		if file, record, err = proof.Keep(ctx, s.store, place, c.Drill, record, s.config.Signer); err != nil {
			return fmt.Errorf("keeping the record of drill %s: %w", op.ID, err)
		}
	}
	out := &store.Drilled{
		Status: c.Drill.Status, Verdict: record.Verdict, Reason: drill.Brief(slices.Concat(record.Reasons, record.Left)),
		Recovery: time.Duration(record.RecoveryMS) * time.Millisecond, Resources: proof.Resources(record), Evidence: bytes.TrimSpace(file),
	}
	o.Drilled = out
	if o.LogStatus = karbor.LogSuccess; out.Verdict != karbor.DrillPassed || out.Status != karbor.DrillFinished {
		o.LogStatus, o.ErrorInfo = karbor.LogError, out.Reason
	}
	return nil
}

// course puts together what a drill was, and how it went.
func (s *Steps) course(ctx context.Context, op store.Operation, rows []store.ResourceRecord, why outcome.Failures) (drill.Course, error) {
	d, err := s.store.Drill(ctx, op.ProjectID, op.ID)
	if err != nil {
		return drill.Course{}, err
	}
	events, err := s.store.DrillEvents(ctx, op.ID)
	if err != nil {
		return drill.Course{}, err
	}
	cp, err := s.store.Checkpoint(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return drill.Course{}, err
	}
	if cp.Graph == nil {
		cp = karbor.Checkpoint{ID: op.CheckpointID, Graph: op.Graph} // its provider's file has gone, and with it the catalogue
	}
	c := drill.Course{
		Drill: d, Checkpoint: cp, Graph: op.Graph, Events: events, Rows: rows, Cancelled: why.Cancelled, Failed: why.Before(),
		Left: why.Left(), EndedAt: s.now(), Service: s.config.program(), Bank: bankName(op.Bank),
	}
	p, err := s.operations.Place(op)
	c.Excluded = func(n *karbor.Node) string {
		if err != nil {
			return "It is not known."
		}
		if reason := excluded(p, n); reason != "" {
			return reason
		}
		return "It was not asked for."
	}
	return c, nil
}

// bankName is the word for a place: main for the provider's own bank.
func bankName(bank string) string {
	if bank == "" {
		return store.MainBank
	}
	return bank
}
