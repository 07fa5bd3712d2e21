// Package limits is how the limits of quotas are on the wire, of a project and of a
// class alike.
package limits

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// View are limits on the wire; -1 is unlimited.
type View struct {
	Plans       int64 `json:"plans" doc:"Plans; -1 is unlimited, here and below."`
	Checkpoints int64 `json:"checkpoints"`
	// Gigabytes is there from api.CopyVersion on.
	Gigabytes *int64 `json:"gigabytes,omitempty" doc:"From 1.2: logical GiB of all checkpoints, each rounded up."`
}

// Of gives limits as a version of the API has them.
func Of(l store.Limits, version api.Version) View {
	v := View{Plans: l.Of(store.QuotaPlans), Checkpoints: l.Of(store.QuotaCheckpoints)}
	if version >= api.CopyVersion {
		gigabytes := l.Of(store.QuotaGigabytes)
		v.Gigabytes = &gigabytes
	}
	return v
}

// Change are the limits that a body sets; nil ones stay.
type Change struct {
	Plans       *int64 `json:"plans"`
	Checkpoints *int64 `json:"checkpoints"`
	Gigabytes   *int64 `json:"gigabytes"`
}

// Limits gives what a change sets. name is the body's member that holds it. A member
// that the version does not know is karbor.Invalid.
func (c Change) Limits(name string, version api.Version) (store.Limits, error) {
	if c.Gigabytes != nil && version < api.CopyVersion {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute %s.gigabytes. This member is not known in version %s; it came with %s.",
			name, version, api.CopyVersion)
	}
	l := store.Limits{}
	for r, n := range map[store.QuotaResource]*int64{
		store.QuotaPlans: c.Plans, store.QuotaCheckpoints: c.Checkpoints, store.QuotaGigabytes: c.Gigabytes,
	} {
		if n != nil {
			l[r] = *n
		}
	}
	return l, nil
}
