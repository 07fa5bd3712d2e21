package protectionservice

import (
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
)

// mostImpatient bounds of how many operations it is counted.
const mostImpatient = 10_000

// patience counts, at the ends of operations, how often their banks have failed. One that has not answered
// for long is given up: the error is then none that may pass. The database is waited for without end, and
// not counted: the operation has done what it was to do, and to undo it since that can't be recorded would
// destroy what is whole. The zero value is ready; another process begins to count anew.
type patience struct {
	mu     sync.Mutex
	failed map[string]int
}

// of gives an error of a bank, which lasts if there were too many.
func (p *patience) of(operation string, err error) error {
	if !karbor.IsTransient(err) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil || len(p.failed) > mostImpatient {
		p.failed = map[string]int{} // of operations that ended elsewhere
	}
	if p.failed[operation]++; p.failed[operation] < flow.Patience {
		return err
	}
	return &karbor.Error{Kind: karbor.KindOf(err), Message: karbor.Sentence(err), Cause: err}
}

func (p *patience) forget(operation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, operation)
}
