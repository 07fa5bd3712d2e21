package attempt

import (
	"sync"

	"github.com/karbor/karbor/internal/repository/verification"
)

const (
	// mostVerified bounds the verifications of which it is kept what they have found good. The end
	// of one is heard of in one process of a fleet, and what others know of it would stay.
	mostVerified = 100
	// mostPacks bounds what is known of all but the one that asks, in packs; each takes about 100 bytes.
	mostPacks = 200_000
)

// verified is what verifications that run here have found good so far, by operation: what several
// resources share is looked at once. It lets go those that have asked the longest ago; what they
// come to ask for again is looked at once more. The zero value is ready.
type verified struct {
	mu    sync.Mutex
	asked int64
	all   map[string]*lookedAt
}

// lookedAt is what one verification has found good, and the number of its last question.
type lookedAt struct {
	*verification.State
	asked int64
}

// of gives what an operation has found good so far.
func (v *verified) of(operation string) *verification.State {
	v.mu.Lock()
	defer v.mu.Unlock()
	own := v.all[operation]
	if own == nil {
		own = &lookedAt{State: verification.NewState()}
		if v.all == nil {
			v.all = map[string]*lookedAt{}
		}
		v.all[operation] = own
	}
	v.asked++
	own.asked = v.asked
	v.letGo(operation)
	return own.State
}

// letGo drops others until what is left is within the bounds.
func (v *verified) letGo(but string) {
	for {
		packs, oldest := 0, ""
		for operation, one := range v.all {
			if operation == but {
				continue
			}
			packs += one.Len()
			if oldest == "" || one.asked < v.all[oldest].asked {
				oldest = operation
			}
		}
		if oldest == "" || packs <= mostPacks && len(v.all) <= mostVerified {
			return
		}
		delete(v.all, oldest)
	}
}

// forget drops what is kept of an operation that is over.
func (v *verified) forget(operation string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.all, operation)
}
