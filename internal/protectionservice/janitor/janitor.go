// Package janitor finds what operations have made in the cloud for a while and nobody knows
// of any more, since the database was lost or brought back from a copy, and removes it
// where the operator wants that.
//
// What a running operation, or the ledger of leftovers, knows is not its business. It acts
// as an administrator, for there is no leave of the tenant's left; so it touches nothing
// that does not say by tag and name that it is this Karbor's and temporary. What a checkpoint
// keeps in the cloud bears no such tag.
package janitor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/karbor/karbor"
)

// Installation gives the name of the Karbor that has a service key: the same for all its
// processes, and after the database is lost. It tells nothing of the key.
func Installation(key []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte("temporary resources of this karbor")) // never fails
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Ledger knows the operations; store.Store is one.
type Ledger interface {
	// LiveOwners gives the ids that things of operations may be tagged with that are not
	// over, or whose leftovers are known.
	LiveOwners(ctx context.Context) (map[string]bool, error)
	// Restore gives a restore of a project, of any for ""; karbor.NotFound for one that it does
	// not know.
	Restore(ctx context.Context, projectID, id string) (karbor.Restore, error)
}

// Busy tells whether a bank says of a checkpoint of a project that it is being made or
// deleted. provider is "" where the thing names none.
type Busy func(ctx context.Context, provider, project, checkpoint string) (bool, error)

// Options of New; all but Remove are needed.
type Options struct {
	Cloud  Cloud
	Ledger Ledger
	Busy   Busy
	// Installation is that of Installation.
	Installation string
	// Age is how old a thing must be, by the cloud's clock and ours: more than any
	// operation lasts whose row may be missing from a database brought back from a copy.
	Age time.Duration
	// Interval is the time between two rounds of Run, and Remove has them remove what
	// they find.
	Interval time.Duration
	Remove   bool
	Now      func() time.Time
	Logger   *slog.Logger
}

// Janitor looks for orphans. It is safe for concurrent use.
type Janitor struct {
	o     Options
	rules []rule
}

// New makes a janitor.
func New(o Options) (*Janitor, error) {
	if o.Installation == "" || o.Age <= 0 {
		return nil, karbor.Errorf(karbor.Invalid, "the janitor needs the installation's name and an age")
	}
	return &Janitor{o, rules()}, nil
}

// Query says what a round is about.
type Query struct {
	// Remove asks for the end of the orphans; with Unfinished, also of those that a restore was
	// to leave: they may be all that somebody has of his data.
	Remove, Unfinished bool
	// Any lists those of all Karbors; none is an orphan then but the installation's.
	Any bool
	// Installation takes the place of the janitor's own, for what was made with a service
	// key that is lost; "" does not.
	Installation string
	// Provider and Project narrow the round; "" does not.
	Provider, Project string
}

// Finding is a thing that bears the tag, and what came of it.
type Finding struct {
	Thing
	// Spared says why it is left alone; "" for an orphan.
	Spared string
	// Removed says that the cloud was asked for its end and agreed; Failure why not.
	Removed bool
	Failure error
}

// roundTime bounds a round.
const roundTime = 30 * time.Minute

// Round looks through the cloud once. A service that does not answer keeps the others from
// nothing: the findings are good even beside an error.
func (j *Janitor) Round(ctx context.Context, q Query) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	if q.Installation == "" {
		q.Installation = j.o.Installation
	}
	things, failed := j.list(ctx, q)
	if len(things) == 0 {
		return nil, failed
	}
	// Now, not before: an operation is in the ledger before it makes anything.
	owners, err := j.o.Ledger.LiveOwners(ctx)
	if err != nil {
		return nil, errors.Join(failed, err)
	}
	findings := make([]Finding, 0, len(things))
	for _, t := range things {
		f := Finding{Thing: t, Spared: j.judge(ctx, t, q, owners)}
		if f.Spared == "" && q.Remove && (q.Unfinished || !t.Restoring()) {
			f = j.remove(ctx, t, q)
		}
		findings = append(findings, f)
	}
	return findings, errors.Join(failed, ctx.Err())
}

func (j *Janitor) list(ctx context.Context, q Query) (things []Thing, failed error) {
	installation := q.Installation
	if q.Any {
		installation = ""
	}
	for _, kind := range Kinds() {
		found, err := j.o.Cloud.Temporary(ctx, kind, installation)
		if err != nil && karbor.KindOf(err) == karbor.NotImplemented {
			continue // the cloud has no such service
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("looking for what is left of kind %s: %w", kind, err))
		}
		for _, t := range found {
			if t.Installation() != "" && (q.Any || t.Installation() == q.Installation) &&
				(q.Provider == "" || t.Provider() == q.Provider) && (q.Project == "" || t.ProjectID == q.Project) {
				things = append(things, t)
			}
		}
	}
	return things, failed
}

// judge says why a thing is left alone; "" for an orphan.
func (j *Janitor) judge(ctx context.Context, t Thing, q Query, owners map[string]bool) string {
	for _, r := range j.rules {
		if why := r(ctx, look{j, t, q, owners}); why != "" {
			return why
		}
	}
	return ""
}

// remove asks for the end of an orphan, after a last look at it and at the ledger.
func (j *Janitor) remove(ctx context.Context, t Thing, q Query) Finding {
	f := Finding{Thing: t}
	now, err := j.o.Cloud.Show(ctx, t.Kind, t.ID)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		f.Removed = true
		return f
	}
	owners, failed := j.o.Ledger.LiveOwners(ctx)
	if f.Failure = errors.Join(err, failed); f.Failure != nil {
		return f
	}
	f.Thing = now
	if f.Spared = j.judge(ctx, now, q, owners); f.Spared != "" {
		return f
	}
	f.Failure = j.o.Cloud.Remove(ctx, now.Kind, now.ID)
	f.Removed = f.Failure == nil
	return f
}

// Run makes a round at once and at each interval, until ctx ends.
func (j *Janitor) Run(ctx context.Context) error {
	ticker := time.NewTicker(j.o.Interval)
	defer ticker.Stop()
	told := map[string]bool{}
	for {
		findings, err := j.Round(ctx, Query{Remove: j.o.Remove})
		if err != nil && ctx.Err() == nil {
			j.o.Logger.WarnContext(ctx, "it can't be looked through the whole cloud for what is left there; it is tried again", "error", err)
		}
		told = j.tell(ctx, findings, told)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tell logs the orphans: each once as long as it is there, and its end.
func (j *Janitor) tell(ctx context.Context, findings []Finding, told map[string]bool) map[string]bool {
	now := map[string]bool{}
	for _, f := range findings {
		attrs := []any{"kind", f.Kind, "id", f.ID, "project", f.ProjectID, "checkpoint_or_restore", f.Owner(), "provider", f.Provider()}
		switch {
		case f.Spared != "":
			continue
		case f.Removed:
			j.o.Logger.InfoContext(ctx, "what was left in the cloud of an operation that nobody knows is being removed", attrs...)
		case told[f.ID]:
		case f.Restoring():
			j.o.Logger.WarnContext(ctx, "a restore that nobody knows has left something half made in the cloud; it stays until karbord janitor --remove --unfinished-restores", attrs...)
		case f.Failure != nil:
			j.o.Logger.WarnContext(ctx, "what is left in the cloud of an operation that nobody knows can't be removed", append(attrs, "error", f.Failure)...)
		default:
			j.o.Logger.WarnContext(ctx, "something is left in the cloud of an operation that nobody knows; karbord janitor --remove removes it", attrs...)
		}
		now[f.ID] = true
	}
	return now
}
