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
	"errors"
	"fmt"
	"log/slog"
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
	// Sealer, if given, seals all documents that hold names. nil writes them in the
	// clear, and leaves sealed ones closed. With a Sealer, too, documents in the
	// clear are read: those of checkpoints from before there were keys.
	Sealer Sealer
	// Logger is told of what an operator should know; nil is nobody.
	Logger *slog.Logger
}

// Checkpoints are the checkpoints of one bank. All methods may be called
// concurrently. Methods that change something need the lease, and fail with
// karbor.Unavailable (transient) while it has too little time left.
type Checkpoints struct {
	bank    bank.Bank
	papers  papers
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
	if o.LeaseRenew < 0 || o.LeaseValidity < 0 || o.LeaseRenew+o.LeaseValidity >= o.LeaseExpire || o.LeaseExpire > maxLeaseLife {
		return nil, karbor.Errorf(karbor.Invalid,
			"a lease that is renewed every %v and must have %v left can't expire after %v", o.LeaseRenew, o.LeaseValidity, o.LeaseExpire)
	}
	c := &Checkpoints{bank: b, papers: papers{bank: b, sealer: o.Sealer}, options: o}
	c.lease = &Lease{bank: b, options: o, instance: karbor.NewID()}
	return c, nil
}

// Lease gives the owner's lease, not yet acquired.
func (c *Checkpoints) Lease() *Lease { return c.lease }

// Get gives a checkpoint; karbor.NotFound if it is unknown, of another project
// or deleted. With a *DamageError and a *ClosedError it gives what lies in the clear:
// ids, status, times and size.
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

// Status gives the newest state of a checkpoint as the bank has it, deleted too; "" if the bank has
// none of it, which is also so when a tombstone was swept. It costs a listing and one object.
func (c *Checkpoints) Status(ctx context.Context, projectID, id string) (karbor.CheckpointStatus, error) {
	if err := checkIDs(projectID, id); err != nil {
		return "", err
	}
	s, err := c.newest(ctx, projectID, id)
	if err != nil {
		return "", fmt.Errorf("looking for the state of checkpoint %s: %w", id, err)
	}
	if s == nil {
		return "", nil
	}
	return s.Status, nil
}

// load reads what belongs to a state. With any error it gives what the state tells.
func (c *Checkpoints) load(ctx context.Context, s *state) (karbor.Checkpoint, error) {
	d, err := c.readDescription(ctx, s.ProjectID, s.CheckpointID)
	if err != nil {
		return s.checkpoint(), err
	}
	if d.ProviderID != s.ProviderID || d.Plan.ID != s.PlanID || !d.CreatedAt.Equal(s.CreatedAt) {
		return s.checkpoint(), &DamageError{s.ProjectID, s.CheckpointID, errors.New("its state and its description do not belong together")}
	}
	cp := d.checkpoint()
	cp.Status, cp.Size, cp.UpdatedAt = s.Status, s.Size, s.UpdatedAt
	if cp.Figures, err = c.readFigures(ctx, s); err != nil {
		return s.checkpoint(), named(s.ProjectID, s.CheckpointID, err)
	}
	if s.Reasons == "" {
		return cp, nil
	}
	var r reasons
	sealed, err := c.papers.read(ctx, s.ProjectID, reasonsKey(s.ProjectID, s.CheckpointID, s.Reasons), &r)
	if err == nil && d.sealed && !sealed {
		err = &DamageError{s.ProjectID, s.CheckpointID, errors.New("its reasons are in the clear, and the rest of it is sealed")}
	}
	if err != nil {
		return s.checkpoint(), named(s.ProjectID, s.CheckpointID, err)
	}
	cp.Reasons = r.Reasons
	return cp, nil
}

// readFigures reads the figures of a state; none if there are none. Nobody needs them to bring
// anything back: figures that are damaged, or gone, are left out.
func (c *Checkpoints) readFigures(ctx context.Context, s *state) (map[string]karbor.Figures, error) {
	if s.Figures == "" {
		return nil, nil
	}
	var f figures
	_, err := c.papers.read(ctx, s.ProjectID, figuresKey(s.ProjectID, s.CheckpointID, s.Figures), &f)
	if _, damaged := errors.AsType[*bank.DecodeError](err); damaged || karbor.KindOf(err) == karbor.NotFound && err != nil {
		return nil, nil
	}
	return f.Figures, err
}

// Section is where a node's small documents lie, as objects: sealed ones are not
// opened. Plug-ins get Documents.
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
