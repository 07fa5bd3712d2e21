package protectionservice

import (
	"context"
	"io"
	"maps"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// tally adds up what the streams of one hook hold, and what they added to the bank. It is
// safe for concurrent use.
type tally struct {
	mu      sync.Mutex
	streams map[string]protection.Summary
}

func newTally() *tally { return &tally{streams: map[string]protection.Summary{}} }

func (t *tally) set(name string, s protection.Summary) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams[name] = s
}

func (t *tally) remove(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, name)
}

// sum gives the streams together; ok is false if the hook had to do with none.
func (t *tally) sum() (sum protection.Summary, ok bool) {
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
	tally *tally
}

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
	tally *tally
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

// figures gives those of a checkpoint, from the records of the operation that has made it.
// Where all projects' data is kept together, what was new is told to nobody: it would tell
// a tenant whether others have the same bytes.
func (w work) figures(rows []store.ResourceRecord) map[string]karbor.Figures {
	out := map[string]karbor.Figures{}
	for _, r := range rows {
		n := w.op.Graph.Node(r.Key)
		if n == nil || r.Total == 0 {
			continue
		}
		f := karbor.Figures{Size: r.Total}
		if !w.provider.SharesData() {
			f.New, f.Stored = &r.New, &r.Stored
		}
		out[originalKey(n)] = f
	}
	return out
}
