package protectionservice

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/provider"
)

// operationID gives the id of an operation that the caller asks for: that of their
// run, or a new one.
func (c Caller) operationID() string {
	if c.Run != nil {
		return c.Run.operationID()
	}
	return karbor.NewID()
}

// runInfo adds to the extra information of an operation log what tells of the caller's
// run, if it is for one.
func runInfo(c Caller, own map[string]json.RawMessage) map[string]json.RawMessage {
	if c.Run == nil {
		return own
	}
	out := map[string]json.RawMessage{}
	maps.Copy(out, own)
	maps.Copy(out, c.Run.scheduledInfo())
	return out
}

// CheckSchedule checks what of a scheduled operation depends on its provider: that it is
// there, that it verifies as deep as is asked for, that it has the copy targets, and that there
// are such probes. The error is karbor.Invalid.
func (s *Service) CheckSchedule(ctx context.Context, t karbor.ScheduledOperationType, d karbor.OperationDefinition) error {
	if t == karbor.ScheduledProtect || t == karbor.ScheduledRetention {
		return nil
	}
	p, err := s.provider(d.ProviderID)
	if err != nil {
		return karbor.Errorf(karbor.Invalid, "operation_definition.provider_id: %s", karbor.Sentence(err))
	}
	switch {
	case t == karbor.ScheduledCopy:
		_, err = s.copyTargets(ctx, p, d.Targets)
	case t == karbor.ScheduledVerify:
		err = checkDepth(p, d.Depth)
	case s.drills.Signer == nil:
		err = karbor.Errorf(karbor.NotImplemented, "this service makes no drills")
	case d.Probes != nil:
		err = drill.Check(*d.Probes)
	}
	switch {
	case err == nil || karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Unavailable:
		return nil // a target that does not answer now may do so when it is needed
	case karbor.KindOf(err) == karbor.Internal:
		return err
	}
	return karbor.Errorf(karbor.Invalid, "operation_definition: %s", karbor.Sentence(err))
}

// verifyDepth is the member of the parameters of a verification that says how deep is
// looked.
const verifyDepth = "depth"

// depths gives the types of a provider of which a verification can be told how deep to look, with
// the depths that there are.
func depths(p *provider.Provider) map[karbor.ResourceType][]string {
	out := map[karbor.ResourceType][]string{}
	for t, schemas := range p.Schemas() {
		var s struct {
			Properties map[string]struct {
				Enum []string `json:"enum"`
			} `json:"properties"`
		}
		if schemas.Verify == nil || json.Unmarshal(schemas.Verify, &s) != nil {
			continue
		}
		if d, ok := s.Properties[verifyDepth]; ok {
			out[t] = d.Enum
		}
	}
	return out
}

// checkDepth makes sure that a provider verifies something as deep as is asked for.
func checkDepth(p *provider.Provider, depth string) error {
	if depth == "" {
		return nil
	}
	known := map[string]bool{}
	for _, words := range depths(p) {
		for _, w := range words {
			known[w] = true
		}
	}
	if !known[depth] {
		return karbor.Errorf(karbor.Invalid, "depth: provider %s does not know %q; it knows %s", p.Name, depth,
			strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return nil
}

// withDepth adds a depth to the parameters of a verification, for the types in a graph
// that have it.
func withDepth(p *provider.Provider, g *karbor.Graph, parameters karbor.Parameters, depth string) (karbor.Parameters, error) {
	if depth == "" {
		return parameters, nil
	}
	if err := checkDepth(p, depth); err != nil {
		return nil, err
	}
	out := maps.Clone(parameters)
	if out == nil {
		out = karbor.Parameters{}
	}
	have := depths(p)
	for _, n := range g.Nodes() {
		key := string(n.Type)
		if !slices.Contains(have[n.Type], depth) || out[key][verifyDepth] != nil {
			continue
		}
		members := map[string]any{verifyDepth: depth}
		maps.Copy(members, out[key])
		out[key] = members
	}
	return out, nil
}
