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
func rules() []rule { return []rule{foreign, renamed, known, young, used, unsettled, worked} }

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
