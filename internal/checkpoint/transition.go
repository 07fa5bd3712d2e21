package checkpoint

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Change says more of a change of state.
type Change struct {
	// From are the states that allow the change; none means any.
	From []karbor.CheckpointStatus
	// Size is the new size in logical bytes; 0 keeps the old one.
	Size int64
	// Reasons says what failed, by resource. They get lost where the checkpoint is
	// sealed and its key is not here.
	Reasons map[string]string
	// Figures say what the checkpoint's resources hold; none keep what was said before.
	// They get lost as Reasons do.
	Figures map[string]karbor.Figures
}

// Create writes a new checkpoint as protecting, and its indices. The same
// checkpoint again is no error as long as it is still protecting, so that a
// re-run can go on; one with the same id and another content, one that has left
// protecting, and one whose owner is another with a living lease are
// karbor.Conflict. Of cp, Status, Size, UpdatedAt and Reasons do not count.
func (c *Checkpoints) Create(ctx context.Context, cp karbor.Checkpoint) error {
	d, err := describe(cp)
	if err != nil {
		return err
	}
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := c.create(ctx, d); err != nil {
		return fmt.Errorf("creating checkpoint %s: %w", cp.ID, err)
	}
	return nil
}

func (c *Checkpoints) create(ctx context.Context, d *description) error {
	// A look first: a tombstone has no first state that would be in the way.
	if s, err := c.newest(ctx, d.ProjectID, d.CheckpointID); err != nil {
		return err
	} else if s != nil && s.Status != karbor.CheckpointProtecting {
		return existing(d.CheckpointID)
	}
	if err := c.claim(ctx, d.ProjectID, d.CheckpointID); err != nil {
		return err
	}
	if err := c.papers.leading().create(ctx, d.ProjectID, descriptionKey(d.ProjectID, d.CheckpointID), d); err != nil {
		return named(d.ProjectID, d.CheckpointID, err)
	}
	// The claim makes sure that somebody sees to it if not all of these are written.
	first := d.state(c.options.Owner, c.lease.now())
	group, ctx := errgroup.WithContext(ctx)
	for _, key := range indexKeys(first) {
		group.Go(func() error { return createEmpty(ctx, c.bank, key) })
	}
	err := bank.CreateJSON(ctx, c.bank, stateKey(d.ProjectID, d.CheckpointID, 1), first)
	if karbor.KindOf(err) == karbor.Conflict {
		err = c.resume(ctx, d)
	}
	return errors.Join(err, group.Wait())
}

// CreateAvailable writes a new checkpoint as available, with its indices: one that is
// whole as soon as it is described, as there is nothing to keep of its resources. It is
// never seen as protecting. The same checkpoint again is no error, whether it is
// protecting, by Create, or available; one in another state is karbor.Conflict. Of
// change, Size and Figures count.
func (c *Checkpoints) CreateAvailable(ctx context.Context, cp karbor.Checkpoint, change Change) error {
	d, err := describe(cp)
	if err != nil {
		return err
	}
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := c.createAvailable(bank.Urgent(ctx), d, Change{Size: change.Size, Figures: change.Figures}); err != nil {
		return fmt.Errorf("creating checkpoint %s: %w", cp.ID, err)
	}
	return nil
}

func (c *Checkpoints) createAvailable(ctx context.Context, d *description, change Change) error {
	s, err := c.newest(ctx, d.ProjectID, d.CheckpointID)
	switch {
	case err != nil:
		return err
	case s != nil && s.Status != karbor.CheckpointProtecting && s.Status != karbor.CheckpointAvailable:
		return existing(d.CheckpointID)
	case s != nil: // an earlier run, or an earlier program, was here
		if s.Status == karbor.CheckpointProtecting {
			if err := c.mayReturn(ctx, s); err != nil {
				return err
			}
		}
		return c.change(ctx, s, karbor.CheckpointAvailable, change)
	}
	if err := c.claim(ctx, d.ProjectID, d.CheckpointID); err != nil {
		return err
	}
	if err := c.papers.leading().create(ctx, d.ProjectID, descriptionKey(d.ProjectID, d.CheckpointID), d); err != nil {
		return named(d.ProjectID, d.CheckpointID, err)
	}
	first := d.state(c.options.Owner, c.lease.now())
	// The indices first: nobody looks after those of a checkpoint that is available.
	group, indexing := errgroup.WithContext(bank.Followed(ctx))
	for _, key := range indexKeys(first) {
		group.Go(func() error { return createEmpty(indexing, c.bank, key) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	first.Sequence = 0
	after, err := c.successor(ctx, first, karbor.CheckpointAvailable, change)
	if err != nil {
		return err
	}
	if err := c.publish(ctx, after); err != nil {
		return err
	}
	c.release(ctx, d.ProjectID, d.CheckpointID)
	return nil
}

// resume is for a checkpoint that has a first state already.
func (c *Checkpoints) resume(ctx context.Context, d *description) error {
	s, err := c.newest(ctx, d.ProjectID, d.CheckpointID)
	if err != nil {
		return err
	}
	if s == nil || s.Status != karbor.CheckpointProtecting {
		return existing(d.CheckpointID)
	}
	return c.change(ctx, s, karbor.CheckpointProtecting, Change{})
}

func existing(id string) error {
	return karbor.Errorf(karbor.Conflict, "checkpoint %s exists already", id)
}

// SetState changes the state of a checkpoint. A change that is already made is no
// error. One that its present state or Change.From does not allow, or that
// another owner with a living lease works on, is karbor.Conflict. Protecting to
// protecting, and deleting to deleting, take over the work of an owner whose
// lease has gone. Only Purge makes a checkpoint deleted.
func (c *Checkpoints) SetState(ctx context.Context, projectID, id string, to karbor.CheckpointStatus, change Change) error {
	if err := checkIDs(projectID, id); err != nil {
		return err
	}
	if _, known := next[to]; !known || to == karbor.CheckpointDeleted || change.Size < 0 {
		return karbor.Errorf(karbor.Invalid, "checkpoint %s can't be set to state %q with size %d", id, to, change.Size)
	}
	ctx, cancel, err := c.lease.publishing(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	ctx = bank.Urgent(ctx)
	s, err := c.newest(ctx, projectID, id)
	if err == nil && (s == nil || s.Status == karbor.CheckpointDeleted) {
		return notFound(id)
	}
	if err == nil && to == karbor.CheckpointAvailable && s.Status != to {
		err = c.mayReturn(ctx, s)
	}
	if err == nil {
		err = c.change(ctx, s, to, change)
	}
	if err != nil {
		return fmt.Errorf("setting checkpoint %s to %s: %w", id, to, err)
	}
	return nil
}

// mayReturn reports why a checkpoint can't become available: what was being deleted,
// or was discarded, may have lost some of its bytes.
func (c *Checkpoints) mayReturn(ctx context.Context, s *state) error {
	if s.Status == karbor.CheckpointProtecting && s.Sequence == 1 {
		return nil // Discard writes another state before it removes anything
	}
	begun, err := c.purgeBegun(ctx, s.ProjectID, s.CheckpointID)
	if err == nil && begun {
		return karbor.Errorf(karbor.Conflict,
			"some of what checkpoint %s held has been removed, so it can't become available; it can be deleted", s.CheckpointID)
	}
	return err
}

// change publishes the state after s. The caller has checked the lease.
func (c *Checkpoints) change(ctx context.Context, s *state, to karbor.CheckpointStatus, change Change) error {
	if err := c.mayChange(ctx, s, to, change.From); err != nil {
		return err
	}
	if c.made(s, to) {
		if !working(to) {
			c.release(ctx, s.ProjectID, s.CheckpointID) // an earlier run died before it
		}
		return nil
	}
	if to == karbor.CheckpointDeleting {
		if err := c.mayDelete(ctx, s); err != nil {
			return err
		}
	}
	if working(to) {
		if err := c.claim(ctx, s.ProjectID, s.CheckpointID); err != nil {
			return err
		}
	}
	after, err := c.successor(ctx, s, to, change)
	if err != nil {
		return err
	}
	if err := c.publish(ctx, after); err != nil || working(to) {
		return err
	}
	c.release(ctx, s.ProjectID, s.CheckpointID)
	return nil
}

// made reports whether the change to a state has been made before.
func (c *Checkpoints) made(s *state, to karbor.CheckpointStatus) bool {
	return s.Status == to && (!working(to) || s.Owner == c.options.Owner)
}

// mayChange reports why the state of a checkpoint can't be changed.
func (c *Checkpoints) mayChange(ctx context.Context, s *state, to karbor.CheckpointStatus, from []karbor.CheckpointStatus) error {
	if c.made(s, to) {
		return nil
	}
	if !slices.Contains(next[s.Status], to) || s.Status != to && len(from) > 0 && !slices.Contains(from, s.Status) {
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is %s", s.CheckpointID, s.Status)
	}
	if !working(s.Status) || s.Owner == c.options.Owner || takesOver(ctx) {
		return nil
	}
	alive, err := c.alive(ctx, s.Owner)
	if err != nil {
		return err
	}
	if alive {
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is %s, and another worker is at it", s.CheckpointID, s.Status)
	}
	return nil
}

// successor makes the document of the state after s, and writes its reasons, figures and list of
// contents.
func (c *Checkpoints) successor(ctx context.Context, s *state, to karbor.CheckpointStatus, change Change) (*state, error) {
	after := *s
	after.Sequence++
	after.Status, after.Owner, after.UpdatedAt, after.Reasons = to, c.options.Owner, stored(c.lease.now()), ""
	if change.Size > 0 {
		after.Size = change.Size
	}
	var err error
	if len(change.Figures) > 0 {
		after.Figures, err = c.writeBeside(ctx, s, figuresKey, figures{Layout: layout, Figures: change.Figures})
	}
	if err == nil && len(change.Reasons) > 0 {
		after.Reasons, err = c.writeBeside(ctx, s, reasonsKey, reasons{Layout: layout, Reasons: change.Reasons})
	}
	// What is available at once has nothing that could be lost.
	if err == nil && to == karbor.CheckpointAvailable && s.Status == karbor.CheckpointProtecting && s.Sequence > 0 {
		after.Contents, err = c.writeContents(ctx, s)
	}
	return &after, err
}

// writeBeside writes a document of the state after s, and gives the name that its key has.
func (c *Checkpoints) writeBeside(ctx context.Context, s *state, key func(project, id, name string) string, doc any) (string, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return "", err
	}
	// Named by its content, so that a re-run finds what an earlier one wrote.
	sum := sha256.Sum256(text)
	if c.options.Sealer != nil {
		// A digest would tell who guesses the content that the guess is right.
		_, _ = rand.Read(sum[:]) // never fails: see the documentation of crypto/rand.Read
	} else if sealed, err := c.papers.sealed(ctx, descriptionKey(s.ProjectID, s.CheckpointID)); err != nil || sealed {
		return "", err // nothing of a sealed checkpoint is written in the clear
	}
	name := hex.EncodeToString(sum[:])
	err = c.papers.leading().create(ctx, s.ProjectID, key(s.ProjectID, s.CheckpointID, name), doc)
	if _, closed := errors.AsType[*ClosedError](err); closed {
		return "", nil
	}
	return name, err
}

// publish writes a state. Another writer that was first is a conflict, unless it
// was an earlier try of this one whose answer got lost.
func (c *Checkpoints) publish(ctx context.Context, s *state) error {
	if s.Sequence > maxSequence {
		return karbor.Errorf(karbor.Internal, "checkpoint %s has changed too often", s.CheckpointID)
	}
	if err := c.lease.Valid(); err != nil {
		return err
	}
	err := bank.CreateJSON(ctx, c.bank, stateKey(s.ProjectID, s.CheckpointID, s.Sequence), s)
	if karbor.KindOf(err) != karbor.Conflict {
		return err
	}
	return karbor.Errorf(karbor.Conflict, "checkpoint %s has just been changed by another worker", s.CheckpointID)
}

// mayDelete is the one gate that every deletion goes through: before a
// checkpoint becomes deleting, and before anything of it is removed.
func (c *Checkpoints) mayDelete(ctx context.Context, s *state) error {
	if c.options.Gate == nil {
		return nil
	}
	cp, err := c.load(ctx, s)
	if _, closed := errors.AsType[*ClosedError](err); err != nil && !closed {
		return err
	}
	return c.options.Gate(ctx, cp)
}
