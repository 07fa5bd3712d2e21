// Package replication copies whole checkpoints from one bank to another: documents, states
// and streams of bytes. The copy has the same ids, unless it is to have others, and is published
// last.
package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/copying"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/protection"
)

// Side is a bank that is copied from or to.
type Side struct {
	Checkpoints *checkpoint.Checkpoints
	// Domains is nil for a bank without keys.
	Domains *repository.Domains
	// Lags says that listings of the bank may leave out what is there: see
	// bank.Traits.ConsistentList.
	Lags bool
}

// Copier copies checkpoints. The lease of To is held.
type Copier struct {
	From, To Side
	// ProviderID is the provider that the copies are to belong to; "" keeps theirs.
	ProviderID string
	// Anew gives a project's domain a key of its own, where it would otherwise be a twin
	// of the source's. A domain that is there stays as it is.
	Anew bool
	// InTheClear allows that what is sealed or encrypted is copied into a bank without
	// keys: all but protection.KeyDocument.
	InTheClear bool
	// Progress, if not nil, hears how many bytes of streams are done.
	Progress func(done, total int64)
	// Travelled, if not nil, hears how many bytes were read and written for streams: of what
	// is there already none.
	Travelled func(bytes int64)
	// As, if not nil, gives what the copy of a checkpoint says of itself: an id of its own,
	// say. It gives the same each time that it is asked. What it gives has the graph of the
	// original, and its id depends on nothing but the original's.
	As func(original karbor.Checkpoint) karbor.Checkpoint
	// Counted says that all bytes that a checkpoint counts lie in its bank, and none with
	// another service: one of which fewer are there is not copied.
	Counted bool
	// Arrival, if not nil, has what has arrived looked at before it is published.
	Arrival *Arrival
}

// as gives the copy of a checkpoint.
func (c *Copier) as(cp karbor.Checkpoint) karbor.Checkpoint {
	if c.As != nil {
		cp = c.As(cp)
	}
	if c.ProviderID != "" {
		cp.ProviderID = c.ProviderID
	}
	return cp
}

// passage is the copy of one checkpoint.
type passage struct {
	*Copier
	project string
	// from and to are the ids of the checkpoint and of its copy.
	from, to string
}

// Result says what the copy of one checkpoint did.
type Result struct {
	// Size is the bytes of its streams, Bytes how many were written to the target's bank
	// for them.
	Size, Bytes int64
	// Present says that the checkpoint was there already.
	Present bool
	// Undecoded says that what is encrypted travelled as it is.
	Undecoded bool
	// Unlisted says why the original's list of contents is lost, or "". What is there is copied then,
	// and becomes the copy's list; documents that were lost before are not missed.
	Unlisted string
	// Unproven is how much evidence of drills can't be read, and was not copied.
	Unproven int
}

// Check says why a checkpoint can't be copied, and what it has, without writing anything.
func (c *Copier) Check(ctx context.Context, project, id string) (Result, error) {
	_, _, r, err := c.look(ctx, project, id)
	return r, err
}

// look reads what is to be copied.
func (c *Copier) look(ctx context.Context, project, id string) (cp karbor.Checkpoint, streams []survey.Stream, r Result, err error) {
	// The target first: what is whole there needs no source any more.
	to := c.as(karbor.Checkpoint{ID: id, ProjectID: project}).ID
	now, err := c.To.Checkpoints.Overview(ctx, project, to)
	switch {
	case err == nil && now.Status == karbor.CheckpointAvailable:
		return cp, nil, Result{Present: true}, nil
	case err == nil && now.Status != karbor.CheckpointProtecting:
		return cp, nil, r, karbor.Errorf(karbor.Conflict, "checkpoint %s is in the other bank already, and is %s there", to, now.Status)
	case err != nil && karbor.KindOf(err) != karbor.NotFound:
		return cp, nil, r, err
	}
	if cp, err = c.From.Checkpoints.Get(ctx, project, id); err != nil {
		return cp, nil, r, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return cp, nil, r, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be copied", id, cp.Status)
	}
	err = c.From.Checkpoints.Whole(ctx, project, id)
	if list, lost := errors.AsType[*checkpoint.ListError](err); lost {
		r.Unlisted, err = list.Error(), nil
	}
	if err != nil {
		return cp, nil, r, err
	}
	if streams, err = survey.Streams(ctx, c.From.Checkpoints, project, id); err != nil {
		return cp, nil, r, err
	}
	for _, s := range streams {
		if s.Damage != "" {
			return cp, nil, r, &checkpoint.DamageError{ProjectID: project, ID: id, Err: fmt.Errorf("the stream %s of %s: %s", s.Name, s.Node, s.Damage)}
		}
		r.Size += s.Size
	}
	if err := c.mayLieOpen(ctx, cp, streams); err != nil {
		return cp, nil, r, err
	}
	return cp, streams, r, c.whole(cp, streams)
}

// Copy copies one checkpoint. One that is broken off goes on where it was when it is done again;
// one that is there already is no error.
func (c *Copier) Copy(ctx context.Context, project, id string) (Result, error) {
	cp, streams, r, err := c.look(ctx, project, id)
	if err != nil {
		return Result{}, err
	}
	if r.Present { // there may have been drills since
		r = Result{Present: true}
		err := passage{c, project, id, c.as(karbor.Checkpoint{ID: id, ProjectID: project}).ID}.proofs(ctx, &r)
		return r, err
	}
	made := c.as(cp)
	if c.To.Domains != nil && c.From.Domains != nil && !c.Anew {
		if err := c.twins(ctx, project, streams); err != nil {
			return r, err
		}
	}
	if err := c.To.Checkpoints.Create(ctx, made); err != nil {
		return r, err
	}
	p := passage{c, project, id, made.ID}
	if err := p.streams(ctx, streams, &r); err != nil {
		return r, err
	}
	documents := map[karbor.NodeKey][]string{}
	for _, n := range cp.Graph.Nodes() {
		if documents[n.Key()], err = p.documents(ctx, n.Key()); err != nil {
			return r, err
		}
	}
	if c.Arrival != nil {
		if err := p.arrived(ctx, documents, streams); err != nil {
			return r, err
		}
	}
	if err := p.proofs(ctx, &r); err != nil {
		return r, err
	}
	return r, c.To.Checkpoints.SetState(ctx, project, made.ID, karbor.CheckpointAvailable, checkpoint.Change{Size: cp.Size, Figures: sizes(cp.Figures)})
}

// sizes are figures without what the source's bank got for them.
func sizes(figures map[string]karbor.Figures) map[string]karbor.Figures {
	out := make(map[string]karbor.Figures, len(figures))
	for key, f := range figures {
		out[key] = karbor.Figures{Size: f.Size}
	}
	return out
}

// twins makes the project's domain one of the same repository, if it can be. Data of other
// domains is encrypted anew.
func (c *Copier) twins(ctx context.Context, project string, streams []survey.Stream) error {
	for _, s := range streams {
		if s.Format == format.Version && s.Domain == c.To.Domains.Domain(project) {
			_, err := c.To.Domains.Twin(ctx, c.From.Domains, s.Domain)
			return err
		}
	}
	return nil
}

func (p passage) streams(ctx context.Context, streams []survey.Stream, r *Result) error {
	var done, travelled, now int64
	for _, s := range streams {
		travelled, now = travelled+now, 0
		travel := func(n int64) {
			if now = n; p.Travelled != nil {
				p.Travelled(travelled + n)
			}
		}
		tell := func(n int64) {
			if p.Progress != nil {
				p.Progress(done+n, r.Size)
			}
		}
		var err error
		if s.Format == format.Version && p.To.Domains != nil {
			err = p.encrypted(ctx, s, r, tell, travel)
		} else {
			err = p.plain(ctx, s, r, tell, travel)
		}
		if err != nil {
			return fmt.Errorf("copying the stream %s of %s: %w", s.Name, s.Node, err)
		}
		done += s.Size
		tell(0)
	}
	return nil
}

// encrypted copies a stream between key domains.
func (p passage) encrypted(ctx context.Context, s survey.Stream, r *Result, tell, travel func(int64)) error {
	if p.From.Domains == nil {
		return &checkpoint.ClosedError{ProjectID: p.project, ID: p.from, Err: karbor.Errorf(karbor.Unavailable, "the key of the domain %s is not here", s.Domain)}
	}
	from, err := p.From.Checkpoints.Nodes(p.project, p.from)
	if err != nil {
		return err
	}
	to, err := p.To.Checkpoints.Nodes(p.project, p.to)
	if err != nil {
		return err
	}
	manifest := string(s.Node) + "/data/" + s.Name + "/manifest"
	// What is there already does not travel: how much of the stream is done shows at its end.
	o := copying.Options{Progress: func(now copying.Progress) {
		tell(min(now.Bytes, s.Size))
		travel(now.Bytes)
	}}
	if p.Arrival != nil && p.Arrival.State != nil {
		o.Landed = p.To.Domains.Look(p.project, p.Arrival.State)
	}
	copied, err := p.To.Domains.Copy(ctx, p.From.Domains, s.Domain, p.project,
		[]copying.Stream{{From: from.Key(manifest), To: to.Key(manifest)}}, o)
	r.Bytes += copied.Bytes
	r.Undecoded = r.Undecoded || copied.Undecoded
	return err
}

// plain copies a stream by reading and writing it.
func (p passage) plain(ctx context.Context, s survey.Stream, r *Result, tell, travel func(int64)) error {
	from, err := p.From.streams(p.project, p.from, s.Node)
	if err != nil {
		return err
	}
	to, err := p.To.streams(p.project, p.to, s.Node)
	if err != nil {
		return err
	}
	if there, err := to.Stat(ctx, s.Name); err == nil && there.Size == s.Size {
		return nil // an earlier try has come so far
	} else if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	reader, err := from.Open(ctx, s.Name)
	if err != nil {
		return err
	}
	w, err := to.Create(ctx, s.Name)
	if err != nil {
		return errors.Join(err, reader.Close())
	}
	var moved int64
	_, err = io.CopyBuffer(w, readerFunc(func(b []byte) (int, error) {
		n, err := reader.Read(b)
		moved += int64(n)
		tell(moved)
		travel(moved)
		return n, err
	}), make([]byte, 1<<20))
	if err = errors.Join(err, reader.Close()); err != nil {
		return errors.Join(err, protection.GiveUp(ctx, w))
	}
	if moved != s.Size {
		return errors.Join(fmt.Errorf("copying the data %s: %d bytes of %d came", s.Name, moved, s.Size), protection.GiveUp(ctx, w))
	}
	written, err := w.Commit(ctx)
	r.Bytes += written.Stored
	return err
}

type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (s Side) streams(project, id string, node karbor.NodeKey) (*repository.Streams, error) {
	section, err := s.Checkpoints.Data(project, id, node)
	if err != nil {
		return nil, err
	}
	return repository.NewStreams(repository.StreamsOptions{Domains: s.Domains, Project: project, Section: section})
}

// documents copies those of a node, sealed anew where the target has keys, and gives their keys.
func (p passage) documents(ctx context.Context, node karbor.NodeKey) ([]string, error) {
	from, err := p.From.Checkpoints.Documents(p.project, p.from, node)
	if err != nil {
		return nil, err
	}
	to, err := p.To.Checkpoints.Documents(p.project, p.to, node)
	if err != nil {
		return nil, err
	}
	keys, err := from.Keys(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		var text json.RawMessage
		err := from.GetJSON(ctx, key, &text)
		if err == nil {
			err = to.CreateJSON(ctx, key, text)
		}
		if err != nil {
			return nil, fmt.Errorf("copying the document %s of %s: %w", key, node, err)
		}
	}
	return keys, nil
}
