package wrap

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Tally adds up what a bank was asked. The zero Tally is ready. Its methods may be called
// concurrently.
type Tally struct {
	mu      sync.Mutex
	methods map[string]Figures
}

// Figures are those of one method.
type Figures struct {
	// Method is that of Call.
	Method string
	// Calls is how many calls have ended, Failed how many of them failed: not as an object was not
	// there, or was there already.
	Calls, Failed int64
	// Bytes went over the line, as far as bodies are concerned.
	Bytes int64
	// Took is how long all of them took together, and Longest the longest of them.
	Took, Longest time.Duration
}

// Count gives inner, whose calls are added up. now is the host's clock.
func (t *Tally) Count(inner bank.Bank, now func() time.Time) bank.Bank {
	return Measure(inner, now, t.add)
}

func (t *Tally) add(c Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.methods == nil {
		t.methods = map[string]Figures{}
	}
	f := t.methods[c.Method]
	f.Method = c.Method
	f.Calls++
	if kind := karbor.KindOf(c.Err); c.Err != nil && kind != karbor.NotFound && kind != karbor.Conflict {
		f.Failed++
	}
	f.Bytes += c.Bytes
	f.Took += c.Took
	f.Longest = max(f.Longest, c.Took)
	t.methods[c.Method] = f
}

// Take gives what was added up since it was taken last, by method.
func (t *Tally) Take() []Figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Figures
	for _, f := range t.methods {
		out = append(out, f)
	}
	t.methods = nil
	slices.SortFunc(out, func(a, b Figures) int { return strings.Compare(a.Method, b.Method) })
	return out
}
