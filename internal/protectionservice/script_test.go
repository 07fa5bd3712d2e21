package protectionservice_test

import (
	"context"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// script is a protection plug-in whose hooks a test writes.
type script struct {
	mu    sync.Mutex
	hooks map[karbor.OperationType]map[karbor.ResourceType]protection.Hooks
	calls []string
	// bound says of a type why it can't be copied.
	bound map[karbor.ResourceType]string
	// instead says of a type what there is in place of a restore in place.
	instead map[karbor.ResourceType]string
}

func (s *script) Bound(t karbor.ResourceType) string      { return s.bound[t] }
func (s *script) NotInPlace(t karbor.ResourceType) string { return s.instead[t] }

func (s *script) Types() []karbor.ResourceType { return karbor.ResourceTypes() }
func (s *script) Schemas(karbor.ResourceType) protection.Schemas {
	schema := []byte(`{"type":"object","properties":{"backup_name":{"type":"string"},"absent_services":{"enum":["fail","report"]}},"additionalProperties":false}`)
	verify := []byte(`{"type":"object","properties":{"deep":{"type":"boolean"}},"additionalProperties":false}`)
	restore := []byte(`{"type":"object","properties":{"backup_name":{"type":"string"},"restore_networks":{"type":"object"},
		"restore_power":{"enum":["running","stopped"]}},"additionalProperties":false}`)
	return protection.Schemas{Options: schema, Restore: restore, Verify: verify}
}
func (s *script) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hooks[op][t]
}

// set gives a type its hooks in an operation. The service may be at work meanwhile, as with what an
// operation before has left.
func (s *script) set(op karbor.OperationType, t karbor.ResourceType, h protection.Hooks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks[op] == nil {
		s.hooks[op] = map[karbor.ResourceType]protection.Hooks{}
	}
	s.hooks[op][t] = h
}

// note gives a hook that only notes that it ran.
func (s *script) note(name string) protection.Hook {
	return func(_ context.Context, c *protection.Call) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, name+" "+string(c.Node.Key()))
		return nil
	}
}

func (s *script) noted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}
