package keystone

import (
	"slices"
	"sync"
)

// region is where the services of a region are.
type region struct{ name, base string }

// regions are those beside the cloud's own one.
type regions struct {
	mu  sync.Mutex
	all []region
}

// AddRegion puts the services of one more region into the catalog, at base, until the cloud ends. Keystone itself and
// data-protect are in the first region alone. A name that is there already gets the new base.
func (k *Keystone) AddRegion(name, base string) {
	k.further.mu.Lock()
	defer k.further.mu.Unlock()
	k.further.all = slices.DeleteFunc(k.further.all, func(r region) bool { return r.name == name })
	k.further.all = append(k.further.all, region{name, base})
}

// located is a service in one region.
type located struct {
	endpoint
	region string
}

// locations gives where the service is, the first region first; base is the cloud's as the client reaches it.
func (k *Keystone) locations(e endpoint, base string) []located {
	here := e
	if here.kind != dataProtect {
		here.path = base + e.path
	}
	list := []located{{here, k.opts.Region}}
	if e.kind == "identity" || e.kind == dataProtect {
		return list
	}
	k.further.mu.Lock()
	defer k.further.mu.Unlock()
	for _, r := range k.further.all {
		there := e
		there.path = r.base + e.path
		list = append(list, located{there, r.name})
	}
	return list
}
