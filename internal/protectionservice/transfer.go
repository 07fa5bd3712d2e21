package protectionservice

import (
	"context"
	"io"
	"sync"

	"github.com/karbor/karbor/protection"
)

// Places for streams of bulk data. A stream holds some tens of megabytes of memory,
// and the disk, the network and the processors have only so much to give.
const (
	// sharedTransfers is how many streams move at a time, whoever's they are.
	sharedTransfers = 4
	// mostTransfers is how many move in all: beyond the shared ones, a project that
	// moves none gets a place of its own, so that nobody's terabytes keep another's
	// megabytes waiting.
	mostTransfers = 32
)

// transfers are the places for streams. What waits takes turns: the project that
// moves the least is next. It is safe for concurrent use.
type transfers struct {
	shared, most int

	mu     sync.Mutex
	used   int
	moving map[string]int // the streams of each project that has any
	queue  []*waiter      // the longest waiting first
}

// waiter is a stream that waits for its place.
type waiter struct {
	project string
	of      streamOf
	granted chan struct{} // closed when it has its place
}

func newTransfers(shared, most int) *transfers {
	return &transfers{shared: shared, most: most, moving: map[string]int{}}
}

// enter waits for a place for a stream of a project, or until ctx ends. leave must be
// called once.
func (t *transfers) enter(ctx context.Context, project string, of streamOf) (leave func(), err error) {
	w := &waiter{project: project, of: of, granted: make(chan struct{})}
	t.mu.Lock()
	t.queue = append(t.queue, w)
	t.grant()
	t.mu.Unlock()
	select {
	case <-w.granted:
	case <-ctx.Done():
		if !t.forget(w) {
			t.leave(project) // it was granted at that very moment
		}
		return nil, ctx.Err()
	}
	return func() { t.leave(project) }, nil
}

// forget takes a waiter out of the queue; it reports false if it is there no more.
func (t *transfers) forget(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.queue {
		if other == w {
			t.queue = append(t.queue[:i], t.queue[i+1:]...)
			return true
		}
	}
	return false
}

func (t *transfers) leave(project string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used--
	if t.moving[project]--; t.moving[project] == 0 {
		delete(t.moving, project)
	}
	t.grant()
}

// grant gives out the places that there are. The caller holds the lock.
func (t *transfers) grant() {
	for {
		next := -1
		for i, w := range t.queue {
			if next < 0 || t.moving[w.project] < t.moving[t.queue[next].project] {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := t.queue[next]
		if t.used >= t.shared && (t.moving[w.project] > 0 || t.used >= t.most) {
			return // the others move as much, or more
		}
		t.queue = append(t.queue[:next], t.queue[next+1:]...)
		t.used++
		t.moving[w.project]++
		close(w.granted)
	}
}

// governed is the repository of one hook, which has a place while any of its streams
// is open. A hook that only waits for its cloud has none.
type governed struct {
	protection.Repository
	places  *transfers
	project string
	// of tells whose it is, for who asks what it waits for.
	of streamOf

	// turn is held by who waits for the hook's place.
	turn  chan struct{}
	mu    sync.Mutex
	open  int
	leave func()
}

func (t *transfers) govern(project string, r protection.Repository) *governed {
	return &governed{Repository: r, places: t, project: project, turn: make(chan struct{}, 1)}
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
	return governedWriter{w, closed}, nil
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
	return governedReader{r, closed}, nil
}

// Verify implements protection.Repository.
func (g *governed) Verify(ctx context.Context, name string, progress func(done, total int64)) error {
	closed, err := g.begin(ctx)
	if err != nil {
		return err
	}
	defer closed()
	return g.Repository.Verify(ctx, name, progress)
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
		leave, err := g.places.enter(ctx, g.project, g.of)
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
