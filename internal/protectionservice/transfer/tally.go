package transfer

import (
	"context"
	"io"
	"maps"
	"sync"

	"github.com/karbor/karbor/protection"
)

// Tally adds up what the streams of one hook hold, and what they added to the bank. It is
// safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	streams map[string]protection.Summary
}

// NewTally makes a tally of no streams.
func NewTally() *Tally { return &Tally{streams: map[string]protection.Summary{}} }

func (t *Tally) set(name string, s protection.Summary) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams[name] = s
}

func (t *Tally) remove(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, name)
}

// Sum gives the streams together; ok is false if the hook had to do with none.
func (t *Tally) Sum() (sum protection.Summary, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range maps.Values(t.streams) {
		sum.New += s.New
		sum.Stored += s.Stored
	}
	return sum, len(t.streams) > 0
}

// tallied is a repository whose complete streams are added up: those that a hook commits,
// and those that it finds committed by an earlier run.
type tallied struct {
	protection.Repository
	tally *Tally
}

// Tallied gives a repository whose complete streams are added up.
func Tallied(r protection.Repository, t *Tally) protection.Repository { return tallied{r, t} }

// Create implements protection.Repository.
func (r tallied) Create(ctx context.Context, name string) (protection.Writer, error) {
	w, err := r.Repository.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return talliedWriter{w, r.tally, name}, nil
}

// Stat implements protection.Repository.
func (r tallied) Stat(ctx context.Context, name string) (protection.Summary, error) {
	s, err := r.Repository.Stat(ctx, name)
	if err == nil {
		r.tally.set(name, s)
	}
	return s, err
}

// Remove implements protection.Repository.
func (r tallied) Remove(ctx context.Context, name string) error {
	err := r.Repository.Remove(ctx, name)
	if err == nil {
		r.tally.remove(name)
	}
	return err
}

type talliedWriter struct {
	protection.Writer
	tally *Tally
	name  string
}

// ReadFrom implements io.ReaderFrom: io.Copy finds out whether the writer itself does.
func (w talliedWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.Writer, r) }

// Commit implements protection.Writer.
func (w talliedWriter) Commit(ctx context.Context) (protection.Summary, error) {
	s, err := w.Writer.Commit(ctx)
	if err == nil {
		w.tally.set(w.name, s)
	}
	return s, err
}
