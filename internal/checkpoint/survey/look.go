package survey

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint"
)

// Status is what lies in a bank.
type Status struct {
	// Time is the bank's.
	Time time.Time `json:"time"`
	// Guarantees are what the bank's back-end promises beyond the contract of banks.
	Guarantees  Guarantees  `json:"guarantees"`
	Areas       []Area      `json:"areas"`
	Checkpoints []StatusSum `json:"checkpoints"`
	Domains     []*Domain   `json:"domains"`
	Owners      []Owner     `json:"owners"`
	// Examples are some of the keys of unknown forms.
	Examples []string `json:"unknown_keys,omitempty"`
}

// Guarantees are bank.Traits.
type Guarantees struct {
	AtomicCreate   bool `json:"atomic_create"`
	ConsistentList bool `json:"consistent_list"`
	// ObjectLock says that objects may be locked, LockAhead for how many seconds at a time what
	// is held is locked; 0 for not at all.
	ObjectLock bool  `json:"object_lock"`
	LockAhead  int64 `json:"lock_ahead_seconds"`
}

func guarantees(t bank.Traits) Guarantees {
	return Guarantees{t.AtomicCreate, t.ConsistentList, t.ObjectLock, int64(t.LockAhead.Seconds())}
}

// StatusSum counts the checkpoints of one status. Size is in logical bytes.
type StatusSum struct {
	Status karbor.CheckpointStatus `json:"status"`
	Number int64                   `json:"number"`
	Size   int64                   `json:"size"`
}

// Owner is who has a lease, or has left work unfinished.
type Owner struct {
	Name      string    `json:"name"`
	Alive     bool      `json:"alive"`
	ExpiresAt time.Time `json:"expires_at"`
	// Works are the checkpoints that it works on; without a living lease, those that it
	// has left unfinished.
	Works []string `json:"works_on"`
}

// maxExamples is how many unknown keys are named.
const maxExamples = 5

// Look looks at all objects of a bank: it costs a listing of all of it, and a read for
// each checkpoint's state. told, if not nil, hears how many objects were seen.
func Look(ctx context.Context, b bank.Bank, c *checkpoint.Checkpoints, told func(objects int64)) (*Status, error) {
	now, err := b.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the bank's time: %w", err)
	}
	traits := b.Traits()
	s := &Status{Time: now.UTC(), Guarantees: guarantees(traits), Domains: []*Domain{}}
	if err := s.count(ctx, b, told); err != nil {
		return nil, err
	}
	for _, d := range s.Domains {
		if err := d.read(ctx, b, now); err != nil {
			return nil, err
		}
	}
	if err := s.sum(ctx, c); err != nil {
		return nil, err
	}
	return s, s.owners(ctx, c)
}

func (s *Status) count(ctx context.Context, b bank.Bank, told func(objects int64)) error {
	counts, found := map[string]*Count{}, &domains{}
	for _, name := range areas() {
		counts[name] = &Count{}
	}
	var seen int64
	err := each(ctx, b, "", func(i bank.Info) error {
		area := areaOf(i.Key)
		if area == AreaRepository && !found.add(i) {
			area = AreaUnknown
		}
		counts[area].add(i)
		if area == AreaUnknown && len(s.Examples) < maxExamples {
			s.Examples = append(s.Examples, i.Key)
		}
		if seen++; told != nil && seen%bank.MaxList == 0 {
			told(seen)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the bank: %w", err)
	}
	for _, name := range areas() {
		s.Areas = append(s.Areas, Area{name, *counts[name]})
	}
	s.Domains = append(s.Domains, found.all...)
	return nil
}

// sum counts the checkpoints by status.
func (s *Status) sum(ctx context.Context, c *checkpoint.Checkpoints) error {
	sums := map[karbor.CheckpointStatus]*StatusSum{}
	err := c.Overviews(ctx, "", func(o checkpoint.Overview) error {
		if sums[o.Status] == nil {
			sums[o.Status] = &StatusSum{Status: o.Status}
		}
		sums[o.Status].Number++
		sums[o.Status].Size += o.Size
		return nil
	}, nil)
	if err != nil {
		return fmt.Errorf("listing the checkpoints: %w", err)
	}
	s.Checkpoints = []StatusSum{}
	for _, status := range statuses() {
		if one := sums[status]; one != nil {
			s.Checkpoints = append(s.Checkpoints, *one)
		}
	}
	return nil
}

// statuses gives those that a checkpoint has in a bank, in the order of its life.
func statuses() []karbor.CheckpointStatus {
	return []karbor.CheckpointStatus{
		karbor.CheckpointProtecting, karbor.CheckpointAvailable, karbor.CheckpointError,
		karbor.CheckpointDeleting, karbor.CheckpointErrorDeleting, karbor.CheckpointDeleted,
	}
}

func (s *Status) owners(ctx context.Context, c *checkpoint.Checkpoints) error {
	found, err := c.Owners(ctx)
	if err != nil {
		return err
	}
	s.Owners = []Owner{}
	for _, o := range found {
		one := Owner{Name: o.Name, Alive: o.Alive, ExpiresAt: o.ExpiresAt, Works: []string{}}
		for _, claim := range o.Claims {
			one.Works = append(one.Works, claim.ProjectID+"/"+claim.ID)
		}
		s.Owners = append(s.Owners, one)
	}
	return nil
}

// Layouts names the layouts that the bank's objects are of.
func (s *Status) Layouts() string {
	var names []string
	var ours int64
	for _, a := range s.Areas {
		if a.Name != AreaUnknown {
			ours += a.Objects
		}
	}
	if ours > 0 {
		names = append(names, "1")
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
