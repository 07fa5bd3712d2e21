package verify

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
)

// End is how a verification ends whose hooks are all over.
func End(ctx context.Context, w running.Work, rows []store.ResourceRecord, now func() time.Time, log *slog.Logger) (store.Outcome, error) {
	lost, err := lossesOf(ctx, w, log)
	if err != nil {
		return store.Outcome{}, err
	}
	o := outcome.Verified(w.Op.Graph, lost.mark(rows))
	lost.tell(&o)
	o.Verified = verifiedBy(w, o, now())
	return o, nil
}

// verifiedBy is what a verification with an outcome says of its checkpoint from then on. A
// resource of which nothing is kept is not verified: nothing was looked at.
func verifiedBy(w running.Work, o store.Outcome, now time.Time) *store.Verified {
	v := &store.Verified{
		LastVerified: karbor.LastVerified{At: now, Depth: string(verification.Full), Result: o.VerificationStatus},
		Resources:    make(map[string]store.VerifiedResource, len(o.Records)),
	}
	rank := []string{string(verification.Quick), string(verification.Stored), string(verification.Full)}
	for key, record := range o.Records {
		n := w.Op.Graph.Node(key)
		if flow.Idle(hooks.Of(w.Provider, karbor.Verify, n.Type)) {
			continue
		}
		word, _ := w.Op.Parameters.For(n.Resource)[depthParameter].(string)
		depth := slices.Index(rank, word)
		if depth < 0 {
			depth = len(rank) - 1 // which is the default
		}
		v.Resources[outcome.Key(n)] = store.VerifiedResource{Depth: rank[depth], Good: record.State == karbor.ResourceVerified}
		v.Depth = rank[min(depth, slices.Index(rank, v.Depth))]
	}
	return v
}
