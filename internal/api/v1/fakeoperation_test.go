package v1_test

import (
	"net/http/httptest"
	"testing"

	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
)

// Operation gives an operation of the store; what it looks like, states says, one after
// the other. It is over without them.
func (s *service) Operation(ctx context.Context, projectID, id string) (protectionservice.Operation, error) {
	op, err := s.store.FindOperation(ctx, projectID, id)
	if err != nil {
		return protectionservice.Operation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := protectionservice.Operation{State: protectionservice.OperationOver, Status: karbor.LogSuccess, EndedAt: op.CreatedAt}
	if len(s.states) > 0 {
		if o, s.states = s.states[0], s.states[1:]; o.State == "" {
			return o, karbor.Errorf(karbor.Unavailable, "the engine is away")
		}
	}
	o.ID, o.Type, o.ProjectID, o.ProviderID, o.RestoreID, o.StartedAt = op.ID, op.Type, op.ProjectID, op.ProviderID, op.RestoreID, op.CreatedAt
	o.Progress, o.Cancelled = s.progress, s.cancelled
	return o, nil
}

func (s *service) CancelOperation(ctx context.Context, c protectionservice.Caller, projectID, id, why string) error {
	if _, err := s.store.FindOperation(ctx, projectID, id); err != nil {
		return err
	}
	if err := s.called(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled = "cancelled by " + c.Identity.UserID + ": " + why
	return nil
}

// stream gives all that a stream of events sends.
func (w *world) stream(t testing.TB, token, path string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/"+ours+path, nil)
	r.Header.Set("X-Auth-Token", token)
	r.Header.Set("OpenStack-API-Version", "data-protect 1.4")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	checkContract(t, r, rec)
	return rec.Body.String()
}
