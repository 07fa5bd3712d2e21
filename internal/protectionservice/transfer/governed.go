package transfer

import (
	"context"
	"io"
	"sync"

	"github.com/karbor/karbor/protection"
)

// governed is the repository of one hook, which has a place while any of its streams
// is open. A hook that only waits for its cloud has none.
type governed struct {
	protection.Repository
	places  *Places
	project string
	// of tells whose it is, for who asks what it waits for.
	of Stream

	// turn is held by who waits for the hook's place.
	turn  chan struct{}
	mu    sync.Mutex
	open  int
	leave func()
}

// Govern gives a repository for one hook of a project, which has a place while any of its
// streams is open.
func (t *Places) Govern(project string, of Stream, r protection.Repository) protection.Repository {
	return &governed{Repository: r, places: t, project: project, of: of, turn: make(chan struct{}, 1)}
}

// Create implements protection.Repository.
func (g *governed) Create(ctx context.Context, name string) (protection.Writer, error) {
	closed, err := g.begin(ctx)
	if err != nil {
		return nil, err
	}
	w, err := g.Repository.Create(ctx, name)
	if err != nil {
		closed()
		return nil, err
	}
	return governedWriter{slowedWriter{w, slowed{ctx, g.places, g.project}}, closed}, nil
}

// Open implements protection.Repository.
func (g *governed) Open(ctx context.Context, name string) (protection.Reader, error) {
	closed, err := g.begin(ctx)
	if err != nil {
		return nil, err
	}
	r, err := g.Repository.Open(ctx, name)
	if err != nil {
		closed()
		return nil, err
	}
	return governedReader{slowedReader{r, slowed{ctx, g.places, g.project}}, closed}, nil
}

// Verify implements protection.Repository.
func (g *governed) Verify(ctx context.Context, name string, progress func(done, total int64)) error {
	closed, err := g.begin(ctx)
	if err != nil {
		return err
	}
	defer closed()
	pace := g.places.Pace(g.project)
	return g.Repository.Verify(ctx, name, func(done, total int64) {
		pace(ctx, done)
		progress(done, total)
	})
}

// begin takes the hook's place for its first stream. The place is given back when the
// last is closed, or when ctx ends, should a hook leave one open.
func (g *governed) begin(ctx context.Context) (closed func(), err error) {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !g.join() {
		leave, err := g.places.Enter(ctx, g.project, g.of)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		g.open, g.leave = 1, leave
		g.mu.Unlock()
	}
	end := sync.OnceFunc(g.end)
	stop := context.AfterFunc(ctx, end)
	return func() { stop(); end() }, nil
}

// join adds a stream to those that are open; it reports false if none is.
func (g *governed) join() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == 0 {
		return false
	}
	g.open++
	return true
}

func (g *governed) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open--; g.open == 0 {
		g.leave()
	}
}

type governedWriter struct {
	protection.Writer
	closed func()
}

// ReadFrom implements io.ReaderFrom: io.Copy finds out whether the writer itself does.
func (w governedWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.Writer, r) }

// Commit implements protection.Writer.
func (w governedWriter) Commit(ctx context.Context) (protection.Summary, error) {
	defer w.closed()
	return w.Writer.Commit(ctx)
}

// Abort implements protection.Writer.
func (w governedWriter) Abort(ctx context.Context) error {
	defer w.closed()
	return w.Writer.Abort(ctx)
}

type governedReader struct {
	protection.Reader
	closed func()
}

// Close implements io.Closer.
func (r governedReader) Close() error {
	defer r.closed()
	return r.Reader.Close()
}
