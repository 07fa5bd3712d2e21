package fabric

import (
	"maps"
	"sync"
)

// Requests counts requests by service and route, such as
// "cinder POST /volume/v3/{project}/volumes". A test can so tell how often
// something was really asked for. Counts are not kept between runs.
type Requests struct {
	mu     sync.Mutex
	counts map[string]int
}

func (r *Requests) add(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[key]++
}

// Counts gives a copy of the counts.
func (r *Requests) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// Reset sets all counts to zero.
func (r *Requests) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.counts)
}
