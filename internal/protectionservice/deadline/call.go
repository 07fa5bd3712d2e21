package deadline

import (
	"context"

	"github.com/karbor/karbor/protection"
)

// watched gives a call that tells the watch what moves: bytes, what the hook keeps for another
// run of it, what it has made, and its streams: their bytes, their ends, and their beginnings,
// which may have waited for their turn.
func (w *Watch) watched(call *protection.Call) *protection.Call {
	c := *call
	report := call.Progress
	c.Progress = func(done, total int64) {
		w.progress(done, total)
		if report != nil {
			report(done, total)
		}
	}
	if call.Scratch != nil {
		c.Scratch = scratch{call.Scratch, w}
	}
	if call.NewResources != nil {
		c.NewResources = made{call.NewResources, w}
	}
	if call.Data != nil {
		c.Data = data{call.Data, w}
	}
	return &c
}

// scratch is a record whose changes are movement.
type scratch struct {
	protection.Scratch
	w *Watch
}

// Save implements protection.Scratch.
func (s scratch) Save(ctx context.Context, v any) error {
	err := s.Scratch.Save(ctx, v)
	if err == nil {
		s.w.Moved()
	}
	return err
}

// made is what a restore has made, of which more is movement.
type made struct {
	protection.NewResources
	w *Watch
}

// Set implements protection.NewResources.
func (m made) Set(ctx context.Context, id string) error {
	err := m.NewResources.Set(ctx, id)
	if err == nil && id != "" {
		m.w.Moved()
	}
	return err
}

// SetPart implements protection.NewResources.
func (m made) SetPart(ctx context.Context, original, id string) error {
	err := m.NewResources.SetPart(ctx, original, id)
	if err == nil && id != "" {
		m.w.Moved()
	}
	return err
}

// data is a repository whose streams are movement.
type data struct {
	protection.Repository
	w *Watch
}

// Create implements protection.Repository.
func (d data) Create(ctx context.Context, name string) (protection.Writer, error) {
	s, err := d.Repository.Create(ctx, name)
	d.w.ended(err)
	if err != nil {
		return nil, err
	}
	return writer{s, d.w}, nil
}

// Open implements protection.Repository.
func (d data) Open(ctx context.Context, name string) (protection.Reader, error) {
	s, err := d.Repository.Open(ctx, name)
	d.w.ended(err)
	if err != nil {
		return nil, err
	}
	return reader{s, d.w}, nil
}

// Verify implements protection.Repository.
func (d data) Verify(ctx context.Context, name string, progress func(done, total int64)) error {
	err := d.Repository.Verify(ctx, name, progress)
	d.w.ended(err)
	return err
}
