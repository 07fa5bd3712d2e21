package protect

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// Counting is what Count needs.
type Counting struct {
	Store *store.Store
	// Session gives the session that an operation acts through.
	Session func(context.Context, store.Operation) (karbor.Cloud, error)
	// Admin is the service user's session, or nil.
	Admin  karbor.Cloud
	Logger *slog.Logger
}

// countTries is how often a cloud is asked for its quotas that does not answer.
const countTries = 3

// countTime bounds one count. It is shorter than a step may take: no cloud that is slow to tell keeps anybody from protecting.
const countTime = 3 * time.Minute

// Count fails a protect, with karbor.OverLimit, whose resources have no room in the project's quotas in the cloud, before
// any hook has made something. It stops nothing else: where the quotas can't be read, the hooks find out themselves.
func Count(ctx context.Context, w running.Work, task *workflow.Task, c Counting) error {
	counting, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	lacking, err := c.lacking(counting, w)
	switch {
	case err == nil && len(lacking) == 0:
		return nil
	case err == nil:
		return karbor.Errorf(karbor.OverLimit, "nothing was made, as %s; remove what you no longer need, have the quota raised, or protect fewer resources",
			strings.Join(lacking, "; "))
	case ctx.Err() != nil || karbor.IsTransient(err) && task.Attempt < countTries:
		return err
	}
	c.Logger.WarnContext(ctx, "what a protect will use of the cloud's quotas can't be counted before it begins; it begins nevertheless",
		"operation", w.Op.ID, "checkpoint", w.Op.CheckpointID, "error", err)
	return nil
}

func (c Counting) lacking(ctx context.Context, w running.Work) ([]string, error) {
	rows, err := c.Store.Resources(ctx, w.Op.ID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(rows, func(r store.ResourceRecord) bool { return r.Started }) {
		return nil, nil // what the hooks have made would be counted twice
	}
	cloud, err := c.Session(ctx, w.Op)
	if err != nil {
		return nil, err
	}
	return preflight.Count(ctx, preflight.Protect{
		Operation: w.Op, Provider: w.Provider, Cloud: cloud, Admin: c.Admin,
		Passing: func(ctx context.Context) (map[protection.Need]int64, error) { return c.passing(ctx, w.Op.ProjectID) },
	})
}

// passing gives what the operations of a project hold for a while, as their hooks have told: it goes by itself.
func (c Counting) passing(ctx context.Context, project string) (map[protection.Need]int64, error) {
	held, err := c.Store.HeldNow(ctx, store.HoldingFilter{ProjectID: project})
	if err != nil {
		return nil, err
	}
	out := map[protection.Need]int64{}
	for kind, need := range map[protection.HoldingKind]protection.Need{
		protection.HeldSnapshot: protection.NeedSnapshots, protection.HeldVolume: protection.NeedVolumes,
	} {
		if sum := held[kind]; sum.Number > 0 {
			out[need] += sum.Number
			out[protection.NeedGigabytes] += sum.GiB
		}
	}
	return out, nil
}
