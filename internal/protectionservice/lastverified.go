package protectionservice

import (
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/repository/verification"
	"github.com/karbor/karbor/internal/store"
)

// verifiedBy is what a verification with an outcome says of its checkpoint from then on. A
// resource of which nothing is kept is not verified: nothing was looked at.
func (s *Service) verifiedBy(w work, o store.Outcome) *store.Verified {
	v := &store.Verified{
		LastVerified: karbor.LastVerified{At: s.now(), Depth: string(verification.Full), Result: o.VerificationStatus},
		Resources:    make(map[string]store.VerifiedResource, len(o.Records)),
	}
	rank := []string{string(verification.Quick), string(verification.Stored), string(verification.Full)}
	for key, record := range o.Records {
		n := w.op.Graph.Node(key)
		if flow.Idle(hooksOf(w.provider, karbor.Verify, n.Type)) {
			continue
		}
		word, _ := w.op.Parameters.For(n.Resource)["depth"].(string)
		depth := slices.Index(rank, word)
		if depth < 0 {
			depth = len(rank) - 1 // which is the default
		}
		v.Resources[outcome.Key(n)] = store.VerifiedResource{Depth: rank[depth], Good: record.State == karbor.ResourceVerified}
		v.Depth = rank[min(depth, slices.Index(rank, v.Depth))]
	}
	return v
}
