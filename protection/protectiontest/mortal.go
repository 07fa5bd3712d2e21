package protectiontest

import (
	"context"

	"github.com/karbor/karbor/protection"
)

// data gives the node's bulk data as the process sees it.
func (c checkpoint) data() protection.Repository {
	if c.bank.real == nil {
		return repository{c}
	}
	return mortal{c.bank.real, c.faults}
}

// mortal is a repository as one process sees it: nothing works for a dead one.
type mortal struct {
	protection.Repository
	faults *faults
}

func (m mortal) alive() error {
	if m.faults.alive() {
		return nil
	}
	return errKilled
}

// Create implements protection.Repository.
func (m mortal) Create(ctx context.Context, name string) (protection.Writer, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	w, err := m.Repository.Create(ctx, name)
	return mortalWriter{w, m}, err
}

// Open implements protection.Repository.
func (m mortal) Open(ctx context.Context, name string) (protection.Reader, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	r, err := m.Repository.Open(ctx, name)
	return mortalReader{r, m}, err
}

// Stat implements protection.Repository.
func (m mortal) Stat(ctx context.Context, name string) (protection.Summary, error) {
	if err := m.alive(); err != nil {
		return protection.Summary{}, err
	}
	return m.Repository.Stat(ctx, name)
}

// Remove implements protection.Repository.
func (m mortal) Remove(ctx context.Context, name string) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.Repository.Remove(ctx, name)
}

type mortalWriter struct {
	protection.Writer
	mortal mortal
}

// Write implements io.Writer.
func (w mortalWriter) Write(p []byte) (int, error) {
	if err := w.mortal.alive(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

// Commit implements protection.Writer.
func (w mortalWriter) Commit(ctx context.Context) (protection.Summary, error) {
	if err := w.mortal.alive(); err != nil {
		return protection.Summary{}, err
	}
	return w.Writer.Commit(ctx)
}

type mortalReader struct {
	protection.Reader
	mortal mortal
}

// Read implements io.Reader.
func (r mortalReader) Read(p []byte) (int, error) {
	if err := r.mortal.alive(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
