package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/verify"
)

// CheckSchedule checks what of a scheduled operation depends on its provider: that it is
// there, that it verifies as deep as is asked for, that it has the copy targets, and that there
// are such probes. The error is karbor.Invalid.
func (s *Service) CheckSchedule(ctx context.Context, t karbor.ScheduledOperationType, d karbor.OperationDefinition) error {
	if t == karbor.ScheduledProtect || t == karbor.ScheduledRetention {
		return nil
	}
	p, err := s.providers.ByID(d.ProviderID)
	if err != nil {
		return karbor.Errorf(karbor.Invalid, "operation_definition.provider_id: %s", karbor.Sentence(err))
	}
	switch t {
	case karbor.ScheduledCopy:
		_, err = s.CopyTargets(ctx, p, d.Targets)
	case karbor.ScheduledVerify:
		err = verify.CheckDepth(p, d.Depth)
	default:
		err = s.CheckProbes(d.Probes)
	}
	switch {
	case err == nil || karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Unavailable:
		return nil // a target that does not answer now may do so when it is needed
	case karbor.KindOf(err) == karbor.Internal:
		return err
	}
	return karbor.Errorf(karbor.Invalid, "operation_definition: %s", karbor.Sentence(err))
}
