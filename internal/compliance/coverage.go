package compliance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

const (
	// maxCheckpoints and maxGraphs, in bytes, bound how far back a report looks.
	maxCheckpoints = 5_000
	maxGraphs      = 64 << 20
	// graphBatch is how many graphs are read at a time.
	graphBatch = 16
)

// coverage is what the checkpoints of a project hold, by the keys of the resources.
type coverage struct {
	of *inventory
	// wants says whether anything is to be known of a resource that is not in the inventory.
	wants func(karbor.Resource) bool

	good     map[string]*Good
	verified map[string]*Verified
	// bad is the time of the newest data that was found damaged.
	bad map[string]time.Time
	// copies are the copy targets that have a copy of a checkpoint.
	copies map[string][]string
	// last are the graphs of the newest available checkpoints of the plans.
	last map[string]*karbor.Graph
	// known are the keys in graphs that were read already.
	known  map[[sha256.Size]byte][]held
	backTo time.Time
}

// held is a resource in a checkpoint.
type held struct {
	key string
	// as is the key under which it was verified.
	as string
}

// cover looks at the available checkpoints of the project, the newest first, as far back as
// a report goes.
func (r *Reporter) cover(ctx context.Context, of *inventory, wants func(karbor.Resource) bool) (*coverage, error) {
	c := &coverage{
		of: of, wants: wants, good: map[string]*Good{}, verified: map[string]*Verified{}, bad: map[string]time.Time{},
		copies: map[string][]string{}, last: map[string]*karbor.Graph{}, known: map[[sha256.Size]byte][]held{},
	}
	all, err := r.store.CoveringCheckpoints(ctx, of.project, maxCheckpoints+1)
	if err != nil {
		return nil, err
	}
	if len(all) > maxCheckpoints {
		all = all[:maxCheckpoints]
		c.backTo = all[len(all)-1].DataAt
	}
	read := 0
	for batch := range slices.Chunk(all, graphBatch) {
		if read > maxGraphs {
			c.backTo = batch[0].DataAt
			break
		}
		by, err := r.store.CoveredBy(ctx, of.project, batch)
		if err != nil {
			return nil, err
		}
		found := make(map[[2]string]*store.CoveredBy, len(by))
		for i := range by {
			found[[2]string{by[i].ID, by[i].ProviderID}] = &by[i]
			read += len(by[i].Graph)
		}
		for _, one := range batch {
			// One that is gone meanwhile is no checkpoint any more.
			if what := found[[2]string{one.ID, one.ProviderID}]; what != nil {
				if err := c.add(one, what); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, g := range c.good {
		origin := c.copies[g.CheckpointID]
		slices.Sort(origin)
		g.Copies = slices.Compact(origin)
	}
	return c, nil
}

// add counts in what a checkpoint holds.
func (c *coverage) add(one store.Covering, what *store.CoveredBy) error {
	if one.Bank != "" {
		c.copies[one.CopyOf] = append(c.copies[one.CopyOf], one.Bank)
	}
	holds, err := c.read(one, what.Graph)
	if err != nil {
		return err
	}
	for _, h := range holds {
		v, looked := what.Verified[h.key]
		if !looked && h.as != h.key {
			v, looked = what.Verified[h.as]
		}
		if looked && !v.Good {
			if one.DataAt.After(c.bad[h.key]) {
				c.bad[h.key] = one.DataAt
			}
			continue
		}
		if old := c.verified[h.key]; looked && (old == nil || what.VerifiedAt.After(old.At)) {
			c.verified[h.key] = &Verified{CheckpointID: one.ID, At: what.VerifiedAt, Depth: v.Depth}
		}
		old := c.good[h.key]
		if old == nil || one.DataAt.After(old.At) || one.DataAt.Equal(old.At) && old.Bank != "" && one.Bank == "" {
			c.good[h.key] = &Good{CheckpointID: one.ID, ProviderID: one.ProviderID, PlanID: one.PlanID, At: one.DataAt, Bank: one.Bank}
		}
	}
	return nil
}

// read gives the resources in a graph of which anything is to be known. Most checkpoints of a
// plan have the same graph: each is taken apart once.
func (c *coverage) read(one store.Covering, text string) ([]held, error) {
	if text == "" {
		return nil, nil
	}
	_, haveLast := c.last[one.PlanID]
	needed := !haveLast && one.Bank == ""
	sum := sha256.Sum256([]byte(text))
	if holds, ok := c.known[sum]; ok && !needed {
		return holds, nil
	}
	var g karbor.Graph
	if err := g.UnmarshalText([]byte(text)); err != nil {
		return nil, fmt.Errorf("reading the graph of checkpoint %s: %w", one.ID, err)
	}
	if needed {
		c.last[one.PlanID] = &g
	}
	var holds []held
	for _, n := range g.Nodes() {
		// What is there in a role only, as a server's image, is not the resource itself.
		if n.Role != "" {
			continue
		}
		key := n.Resource.Key()
		if c.of.has(key) || c.wants(n.Resource) {
			holds = append(holds, held{key, key})
		}
		if key == c.of.topology() {
			holds = append(holds, c.networks(&g)...)
		}
	}
	c.known[sum] = holds
	return holds, nil
}

// networks gives the networks that only the topology in a graph holds.
func (c *coverage) networks(g *karbor.Graph) []held {
	var out []held
	for _, r := range c.of.resources {
		if r.Type == karbor.NetworkType && g.Node(karbor.MakeNodeKey(r, "")) == nil {
			out = append(out, held{r.Key(), c.of.topology()})
		}
	}
	return out
}
