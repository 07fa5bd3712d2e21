package attempt

import (
	"context"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// kin is what hooks have in common that wait for alike things: the volumes of one checkpoint, say.
type kin struct {
	operation string
	of        karbor.ResourceType
}

// cohorts has the hooks of one operation and type that run here wait together. The zero value is ready.
type cohorts struct {
	mu      sync.Mutex
	running map[kin]*cohort
}

// cohort counts the hooks that are in it: it goes with the last of them.
type cohort struct {
	openstack.Cohort
	hooks int
}

// join gives a context whose waits are with those of its kin, until leave is called.
func (c *cohorts) join(ctx context.Context, operation string, of karbor.ResourceType) (joined context.Context, leave func()) {
	key := kin{operation, of}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = map[kin]*cohort{}
	}
	own := c.running[key]
	if own == nil {
		own = &cohort{}
		c.running[key] = own
	}
	own.hooks++
	return openstack.WithCohort(ctx, &own.Cohort), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if own.hooks--; own.hooks == 0 {
			delete(c.running, key)
		}
	}
}
