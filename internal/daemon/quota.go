package daemon

import (
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/store"
)

// limits gives the configured quotas as the store has them.
func limits(q config.Quotas) store.Limits {
	return store.Limits{
		store.QuotaPlans: int64(q.Plans), store.QuotaCheckpoints: int64(q.Checkpoints), store.QuotaGigabytes: int64(q.Gigabytes),
	}
}
