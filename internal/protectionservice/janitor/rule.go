package janitor

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
)

// look is what a rule sees: a thing, what is looked for, and the ids that are in use.
type look struct {
	j      *Janitor
	t      Thing
	q      Query
	owners map[string]bool
}

// rule says why a thing must be left alone; "" where it knows no reason.
type rule func(ctx context.Context, l look) string

// rules are all of them; what none objects to is an orphan. The bank comes last, as it
// costs a request.
func rules() []rule { return []rule{foreign, renamed, known, young, used, unsettled, recorded, worked} }

func foreign(_ context.Context, l look) string {
	if l.t.Installation() != l.q.Installation {
		return "it is of another Karbor"
	}
	return ""
}

func renamed(_ context.Context, l look) string {
	if !l.t.ownName() {
		return "its name and tags are not as Karbor gives them: somebody else has made or renamed it"
	}
	return ""
}

func known(_ context.Context, l look) string {
	if l.owners[l.t.Owner()] {
		return "its operation is not over, or the ledger of leftovers knows it"
	}
	return ""
}

func young(_ context.Context, l look) string {
	if l.t.CreatedAt.IsZero() || l.j.o.Now().Sub(l.t.CreatedAt) < l.j.o.Age {
		return fmt.Sprintf("it is not %s old", l.j.o.Age)
	}
	return ""
}

func used(_ context.Context, l look) string { return l.t.Used }

func unsettled(_ context.Context, l look) string {
	if !l.t.settled() {
		return fmt.Sprintf("it is in state %q", l.t.Status)
	}
	return ""
}

// recorded keeps what a restore has left that failed and was told to: its row says so for as long as
// it is there.
func recorded(ctx context.Context, l look) string {
	if !l.t.Restoring() {
		return ""
	}
	_, err := l.j.o.Ledger.Restore(ctx, "", l.t.Owner())
	switch {
	case err == nil:
		return "its restore is known, and over: what it made is its tenant's"
	case karbor.KindOf(err) == karbor.NotFound:
		return ""
	}
	return "it can't be found out whether its restore is known: " + karbor.Sentence(err)
}

func worked(ctx context.Context, l look) string {
	busy, err := l.j.o.Busy(ctx, l.t.Provider(), l.t.ProjectID, l.t.Owner())
	switch {
	case err != nil:
		return "its bank can't be asked for its checkpoint: " + karbor.Sentence(err)
	case busy:
		return "its checkpoint is being worked on, as its bank says"
	}
	return ""
}
