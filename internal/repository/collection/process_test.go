package collection_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/index"
	"github.com/karbor/karbor/internal/repository/session"
)

// The times of a world.
const (
	expire = 60 * time.Second
	margin = 10 * time.Second
	// silence is how long the client of a bank waits for an answer.
	silence = 3 * expire
)

const (
	domain   = "project"
	itemSize = 5 * format.Granule
	universe = 14
)

func master() (k format.Key) {
	copy(k[:], "a master key for tests, 32 bytes")
	return k
}

// items are the parts that streams are made of, and share: bytes, and a hole behind them.
var items = sync.OnceValue(func() (all [universe][]byte) {
	for n := range all {
		b := make([]byte, itemSize+format.Granule)
		seed := [32]byte{byte(n + 1)}
		_, _ = rand.NewChaCha8(seed).Read(b[:itemSize])
		all[n] = b
	}
	return all
})

func item(n int) []byte { return items()[n] }

// plan says who works on a world, what goes wrong, and which bugs are planted.
type plan struct {
	seed   uint64
	lag    time.Duration
	settle time.Duration
	turns  bool
	twoWin bool
	// streams is how many each writer writes.
	streams int
	// role, at and what say what goes wrong: role is that of the process.
	role string
	at   int
	what mishap
	// Bugs.
	session func(*world, *session.Session) dedup.Session
	writing func(*link)
	collect func(*link)
	// slow says that a bug is not caught soon.
	slow bool
	// dawdle is for how long at most a stream waits before it is published.
	dawdle time.Duration
	// folder, if set, makes a folder for the index of a writer; else it is in memory.
	folder func() string
}

// process is one that works with a link of its own, until it is done or dies.
type process struct {
	w    *world
	p    *plan
	link *link
	now  func() time.Time
}

// start gives a process; if it dies, its context ends.
func (w *world) start(ctx context.Context, p *plan, role string) (*process, context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{w: w, role: role, crash: cancel}
	if role == p.role {
		l.at, l.what = p.at, p.what
	}
	if strings.HasPrefix(role, "writer") && p.writing != nil {
		p.writing(l)
	}
	if role == "collector" && p.collect != nil {
		p.collect(l)
	}
	skew := time.Duration(w.random(7200)-3600) * time.Second
	return &process{w: w, p: p, link: l, now: func() time.Time { return l.now().Add(skew) }}, ctx, cancel
}

func (pr *process) times() session.Options {
	settle := pr.p.settle
	if settle == 0 {
		settle = -1
	}
	return session.Options{Now: pr.now, Expire: expire, Renew: expire / 5, Margin: margin, Settle: settle}
}

// write is a writer's life. done says that it need not be begun again.
func (pr *process) write(ctx context.Context, count *int) (done bool) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := session.Open(ctx, pr.link, domain, pr.times())
	if err != nil {
		return false
	}
	running.Go(func() { _ = s.Run(ctx, nil) })
	var guard dedup.Session = s
	if pr.p.session != nil {
		guard = pr.p.session(pr.w, s)
	}
	o := dedup.Options{Workers: 1, Index: dedup.NewMemory(), Session: guard}
	if pr.p.folder != nil {
		o.Index = nil
		o.NewIndex = func(id format.RepositoryID) (dedup.Index, error) {
			x, err := index.Open(ctx, index.Options{Folder: pr.p.folder(), Repository: id, Memtable: 64})
			if err == nil {
				running.Go(func() {
					<-ctx.Done()
					_ = x.Close()
				})
			}
			return x, err
		}
	}
	d, err := dedup.Open(ctx, pr.link, domain, master(), o)
	if err != nil {
		return false
	}
	for ; *count > 0; *count-- {
		pr.stream(ctx, d)
		if ctx.Err() != nil || nap(ctx, pr.w.duration(expire/4)) != nil {
			return false
		}
	}
	return s.Close(ctx) == nil
}

// stream writes one stream of some items.
func (pr *process) stream(ctx context.Context, d *dedup.Domain) {
	ctx, cancel := context.WithTimeout(ctx, 6*expire)
	defer cancel()
	key := fmt.Sprintf("v1/checkpoints/%s/%s/nodes/volume/%s/data/disk/manifest", domain, karbor.NewID(), karbor.NewID())
	w, err := d.Writer(ctx)
	if err != nil {
		return
	}
	defer w.Abort()
	var of []int
	for range 1 + pr.w.random(12) {
		n := pr.w.random(universe)
		of = append(of, n)
		if _, err := w.Write(item(n)); err != nil {
			return
		}
		if pr.w.random(4) == 0 && nap(ctx, pr.w.duration(expire/2)) != nil {
			return
		}
	}
	pr.w.mu.Lock()
	pr.w.streams[key] = of
	pr.w.mu.Unlock()
	if nap(ctx, pr.w.duration(pr.p.dawdle)) != nil {
		return
	}
	_, _ = w.Commit(ctx, key)
}

// collect is a collector's life.
func (pr *process) collect(ctx context.Context, sessionless bool) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := dedup.Options{Workers: 1, Index: dedup.NewMemory()}
	if !sessionless {
		s, err := session.Open(ctx, pr.link, domain, pr.times())
		if err != nil {
			return err
		}
		running.Go(func() { _ = s.Run(ctx, nil) })
		defer func() { _ = s.Close(ctx) }()
		o.Session = s
	}
	d, err := dedup.Open(ctx, pr.link, domain, master(), o)
	if err != nil {
		return err
	}
	c, err := collection.New(d, collection.Options{Times: pr.times(), Only: true})
	if err != nil {
		return err
	}
	r, err := c.Collect(ctx, nil)
	pr.w.mu.Lock()
	defer pr.w.mu.Unlock()
	t := &pr.w.totals
	t.Deleted, t.Rewritten, t.KeptPacks, t.Condemned = t.Deleted+r.Deleted, t.Rewritten+r.Rewritten, t.KeptPacks+r.KeptPacks, t.Condemned+r.Condemned
	t.Segments, t.Kept = t.Segments+r.Segments, append(t.Kept, r.Kept...)
	return err
}

// read reads whatever stream is there, again and again. An index that is never read again on
// its own makes it meet packs that are gone.
func (pr *process) read(ctx context.Context) {
	var d *dedup.Domain
	for ctx.Err() == nil {
		if d == nil {
			var err error
			if d, err = dedup.Open(ctx, pr.link, domain, master(), dedup.Options{Workers: 1, Index: dedup.NewMemory()}); err == nil {
				_, err = d.LoadIndex(ctx)
			}
			if err != nil {
				d = nil
			}
		}
		key, of := pr.w.pick(ctx)
		if d != nil && key != "" {
			err := pr.w.check(ctx, d, key, of)
			// As long as listings may hide what it refers to, it need not be found.
			if i, statErr := pr.w.base.Stat(ctx, key); err != nil && statErr == nil && ctx.Err() == nil && time.Since(i.ModTime) > pr.w.lag {
				pr.w.fault(fmt.Sprintf("reading %s: %v", key, err))
			}
		}
		_ = nap(ctx, pr.w.duration(expire/3))
	}
}

// pick gives a stream that is there; its key is "" if there is none.
func (w *world) pick(ctx context.Context) (key string, of []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, of := range w.streams {
		if _, err := w.base.Stat(ctx, key); err == nil {
			return key, of
		}
	}
	return "", nil
}

// check reads a stream, and compares it with what was written.
func (w *world) check(ctx context.Context, d *dedup.Domain, key string, of []int) error {
	r, err := d.Reader(ctx, key, 0)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for _, n := range of {
		want := item(n)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("the item %d comes back with other bytes", n)
		}
	}
	return nil
}

// forget deletes a stream now and then, as whoever deletes checkpoints does.
func (w *world) forget(ctx context.Context) {
	for nap(ctx, w.duration(expire)) == nil {
		if key, _ := w.pick(ctx); key != "" {
			_ = w.remove(ctx, key)
		}
	}
}

// objects gives the objects under a prefix, without a lie.
func (w *world) objects(prefix string) (keys []string) {
	for key := range w.base.Snapshot() {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

var _ bank.Bank = (*link)(nil)
