// Package checkpoint knows how checkpoints lie in a bank: layout 1, whose
// byte-exact specification is docs/format/layout1.md. The bank, and not the
// database, is the truth about checkpoints.
//
// Every object is written once. A change of state is a new object with the next
// sequence number. Whoever changes a checkpoint holds a lease in the bank.
package checkpoint

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Defaults of Options, from the service's documented options.
const (
	DefaultLeaseRenew    = 120 * time.Second
	DefaultLeaseExpire   = 600 * time.Second
	DefaultLeaseValidity = 100 * time.Second
)

// Options of Open.
type Options struct {
	// Owner names who writes: 1 to 255 letters, digits, '.', '_' and '-'. It
	// belongs to one running process at a time; a process that acquires the
	// lease supersedes an earlier one of the same name. Without it the bank can
	// only be read.
	Owner string
	// Now is the local clock. It only measures how much time has passed since
	// the bank's clock was read, so it should have a monotonic reading.
	Now func() time.Time
	// LeaseRenew is the time between renewals of the lease.
	LeaseRenew time.Duration
	// LeaseExpire is how long a lease lives from its last renewal on.
	LeaseExpire time.Duration
	// LeaseValidity is how much of its life the lease must have left for
	// anything to be published.
	LeaseValidity time.Duration
	// Gate, if given, says why a checkpoint may not be deleted: a hold, a lock,
	// a restore that uses it. nil means that it may. It is asked before the
	// checkpoint becomes deleting, and again before anything is removed.
	Gate func(ctx context.Context, c karbor.Checkpoint) error
}

// Checkpoints are the checkpoints of one bank. All methods may be called
// concurrently. Methods that change something need the lease, and fail with
// karbor.Unavailable (transient) while it has too little time left.
type Checkpoints struct {
	bank    bank.Bank
	options Options
	lease   *Lease
}

// Open gives access to the checkpoints of b, which the caller closes. It writes
// nothing and acquires no lease: that is for Lease.
func Open(_ context.Context, b bank.Bank, o Options) (*Checkpoints, error) {
	if o.Now == nil {
		return nil, karbor.Errorf(karbor.Internal, "opening checkpoints: no clock given")
	}
	if o.Owner != "" && !isOwner(o.Owner) {
		return nil, karbor.Errorf(karbor.Invalid, "%q can't be the owner of a lease", o.Owner)
	}
	if o.LeaseRenew == 0 {
		o.LeaseRenew = DefaultLeaseRenew
	}
	if o.LeaseExpire == 0 {
		o.LeaseExpire = DefaultLeaseExpire
	}
	if o.LeaseValidity == 0 {
		o.LeaseValidity = DefaultLeaseValidity
	}
	if o.LeaseRenew < 0 || o.LeaseValidity < 0 || o.LeaseRenew+o.LeaseValidity >= o.LeaseExpire {
		return nil, karbor.Errorf(karbor.Invalid,
			"a lease that is renewed every %v and must have %v left can't expire after %v", o.LeaseRenew, o.LeaseValidity, o.LeaseExpire)
	}
	c := &Checkpoints{bank: b, options: o}
	c.lease = &Lease{bank: b, options: o, instance: karbor.NewID()}
	return c, nil
}

// Lease gives the owner's lease, not yet acquired.
func (c *Checkpoints) Lease() *Lease { return c.lease }

// Get gives a checkpoint; karbor.NotFound if it is unknown, of another project
// or deleted.
func (c *Checkpoints) Get(ctx context.Context, projectID, id string) (karbor.Checkpoint, error) {
	if err := checkIDs(projectID, id); err != nil {
		return karbor.Checkpoint{}, err
	}
	s, err := c.newest(ctx, projectID, id)
	if err != nil {
		return karbor.Checkpoint{}, err
	}
	if s == nil || s.Status == karbor.CheckpointDeleted {
		return karbor.Checkpoint{}, notFound(id)
	}
	return c.load(ctx, s)
}

// load reads what belongs to a state.
func (c *Checkpoints) load(ctx context.Context, s *state) (karbor.Checkpoint, error) {
	d, err := c.readDescription(ctx, s.ProjectID, s.CheckpointID)
	if err != nil {
		return karbor.Checkpoint{}, err
	}
	cp := d.checkpoint()
	cp.Status, cp.Size, cp.UpdatedAt = s.Status, s.Size, s.UpdatedAt
	if s.Reasons != "" {
		var r reasons
		if err := bank.GetJSON(ctx, c.bank, reasonsKey(s.ProjectID, s.CheckpointID, s.Reasons), &r); err != nil {
			return karbor.Checkpoint{}, damaged(s.ProjectID, s.CheckpointID, err)
		}
		cp.Reasons = r.Reasons
	}
	return cp, nil
}

// Section is where a node's small documents lie.
func (c *Checkpoints) Section(projectID, id string, key karbor.NodeKey) (*bank.Section, error) {
	return c.nodeSection(projectID, id, key, "documents")
}

// Data is where a node's bulk data lies.
func (c *Checkpoints) Data(projectID, id string, key karbor.NodeKey) (*bank.Section, error) {
	return c.nodeSection(projectID, id, key, "data")
}

func (c *Checkpoints) nodeSection(projectID, id string, key karbor.NodeKey, part string) (*bank.Section, error) {
	if err := checkIDs(projectID, id); err != nil {
		return nil, err
	}
	return bank.NewSection(c.bank, nodesPrefix(projectID, id)+string(key)+"/"+part)
}

func notFound(id string) error {
	return karbor.Errorf(karbor.NotFound, "checkpoint %s could not be found", id)
}

// createEmpty writes an object whose key says all. One that is there is no error.
func createEmpty(ctx context.Context, b bank.Bank, key string) error {
	err := b.Create(ctx, key, bytes.NewReader(nil), 0)
	if err != nil && karbor.KindOf(err) != karbor.Conflict {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return nil
}
