package preflight

import (
	"maps"

	"github.com/karbor/karbor/protection"
)

// tally sums up what the resources of an operation use of quotas. The zero value is empty. It is not safe for
// concurrent use.
type tally struct {
	needs map[protection.Need]int64
	// alone is the most that one of the resources uses by itself.
	alone  map[protection.Need]int64
	shared map[protection.Need]map[string]bool
}

// add adds what is foreseen of one resource.
func (t *tally) add(f *protection.Forecast) {
	if t.needs == nil {
		t.needs, t.alone, t.shared = map[protection.Need]int64{}, map[protection.Need]int64{}, map[protection.Need]map[string]bool{}
	}
	for need, amount := range f.Needs {
		t.needs[need] += amount
	}
	for need, amount := range f.Passing {
		t.alone[need] = max(t.alone[need], f.Needs[need]+amount)
	}
	for need, originals := range f.Shared {
		for _, id := range originals {
			if t.shared[need] == nil {
				t.shared[need] = map[string]bool{}
			}
			if !t.shared[need][id] {
				t.shared[need][id] = true
				t.needs[need]++
			}
		}
	}
}

// most gives what must be there of each quota at the least: what stays of all resources, and what any of them uses
// by itself. With less the operation can't come to its end, however much of it waits for the rest.
func (t *tally) most() map[protection.Need]int64 {
	out := map[protection.Need]int64{}
	maps.Copy(out, t.needs)
	for need, amount := range t.alone {
		out[need] = max(out[need], amount)
	}
	return out
}
