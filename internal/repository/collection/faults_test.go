package collection_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	whole = flag.Bool("whole", false, "let every single operation go wrong, for minutes")
	every = flag.Int("every", 1, "with -whole: only every so manyth operation")
)

// outcome is what a run of a world gave.
type outcome struct {
	// calls are the operations of each role.
	calls            map[string]int
	faulted, streams int
	totals           collection.Result
	faults           []string
}

// run lets a world go, and looks whether anything was lost, and whether space comes back.
func run(t *testing.T, p plan) (o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{base: banktest.NewMemory(), lag: p.lag, turns: p.turns, twoWin: p.twoWin, rng: rand.New(rand.NewPCG(p.seed, 1)),
			deleted: map[string]deletion{}, streams: map[string][]int{}, calls: map[string]int{}}
		if _, err := dedup.Create(t.Context(), w.base, domain, master(), time.Now(), dedup.Options{Index: dedup.NewMemory()}); err != nil {
			t.Fatal(err)
		}
		w.live(t.Context(), &p)
		w.late.Wait()
		o.calls = maps.Clone(w.calls)
		o.streams = len(w.objects("v1/checkpoints/"))
		w.lostNothing(t.Context())
		w.spaceComesBack(t.Context(), &p)
		w.lostNothing(t.Context())
		o.faulted, o.faults, o.totals = w.faulted, w.faults, w.totals
	})
	return o
}

// live lets all work until the writers are done.
func (w *world) live(ctx context.Context, p *plan) {
	ctx, end := context.WithCancel(ctx)
	var writers, others sync.WaitGroup
	again := func(role string, life func(context.Context, *process) (done bool)) {
		for ctx.Err() == nil {
			pr, ctx, cancel := w.start(ctx, p, role)
			done := life(ctx, pr)
			cancel()
			if done {
				return
			}
			time.Sleep(time.Second)
		}
	}
	for i := range 2 {
		count := p.streams
		writers.Go(func() {
			again(fmt.Sprintf("writer %d", i), func(ctx context.Context, pr *process) bool { return pr.write(ctx, &count) })
		})
	}
	for i := range 2 - min(1, w.twins(p)) {
		others.Go(func() {
			again("collector", func(ctx context.Context, pr *process) bool {
				_ = pr.collect(ctx, i == 1)
				time.Sleep(w.duration(expire / 2))
				return false
			})
		})
	}
	others.Go(func() {
		again("reader", func(ctx context.Context, pr *process) bool { pr.read(ctx); return true })
	})
	others.Go(func() { w.forget(ctx) })
	writers.Wait()
	end()
	others.Wait()
}

// twins is 1 where two collectors could both be at work: then there is only one.
func (w *world) twins(p *plan) int {
	if p.twoWin {
		return 1
	}
	return 0
}

// lostNothing reads every stream with nothing but the bank.
func (w *world) lostNothing(ctx context.Context) {
	d, err := dedup.Open(ctx, w.base, domain, master(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
	if err == nil {
		_, err = d.LoadIndex(ctx)
	}
	if err != nil {
		w.fault(fmt.Sprintf("opening what was left: %v", err))
		return
	}
	for _, key := range w.objects("v1/checkpoints/") {
		if err := w.check(ctx, d, key, w.streams[key]); err != nil {
			w.fault(fmt.Sprintf("lost: %s: %v", key, err))
		}
	}
}

// spaceComesBack deletes half of the streams; two lease periods later there is no pack
// left that holds nothing of the others.
func (w *world) spaceComesBack(ctx context.Context, p *plan) {
	for i, key := range w.objects("v1/checkpoints/") {
		if i%2 == 0 {
			_ = w.remove(ctx, key)
		}
	}
	deadline := time.Now().Add(2*expire + 5*time.Second)
	healthy := *p
	healthy.role = ""
	var last error
	for time.Now().Before(deadline) {
		pr, ctx, cancel := w.start(ctx, &healthy, "collector")
		last = pr.collect(ctx, true)
		cancel()
		time.Sleep(2 * time.Second)
	}
	w.late.Wait()
	if garbage := w.garbage(ctx); len(garbage) > 0 {
		w.fault(fmt.Sprintf("space: %d packs are still there (%v): %v", len(garbage), last, garbage))
	}
}

// garbage gives the packs that hold nothing that a stream needs.
func (w *world) garbage(ctx context.Context) (out []string) {
	d, err := dedup.Open(ctx, w.base, domain, master(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
	if err == nil {
		_, err = d.LoadIndex(ctx)
	}
	if err != nil {
		return []string{err.Error()}
	}
	needed := map[format.ID]bool{}
	seeker := d.Seeker()
	for _, key := range w.objects("v1/checkpoints/") {
		root, err := d.Root(ctx, key)
		if err != nil {
			continue // it is lost, which is worse
		}
		for i, id := range root.Pages {
			needed[id] = true
			page, _, _ := seeker.Page(ctx, id, format.SpanSize(root.Size, i))
			for _, e := range page {
				needed[e.ID] = true
			}
		}
	}
	for _, kind := range []format.Kind{format.Data, format.Pages} {
		prefix := dedup.PacksPrefix(domain, kind)
		for _, key := range w.objects(prefix) {
			name, _ := dedup.ParsePackKey(domain, kind, key)
			i, _ := w.base.Stat(ctx, key)
			groups, err := d.Directory(ctx, kind, name, i.Size)
			useful := err != nil
			for _, g := range groups {
				for _, c := range g.Chunks {
					useful = useful || needed[c.ID]
				}
			}
			if !useful {
				out = append(out, strings.TrimPrefix(key, prefix)[:8])
			}
		}
	}
	return out
}

// worlds are what faults are tried in.
var worlds = map[string]plan{
	"consistent": {},
	"lagging":    {lag: expire / 5, settle: expire / 5},
	"two win":    {lag: expire / 5, settle: expire / 5, twoWin: true},
	"by turns":   {lag: expire / 5, settle: expire / 5, turns: true},
}

func TestNothingIsLostWhenNothingGoesWrong(t *testing.T) {
	for name, p := range worlds {
		t.Run(name, func(t *testing.T) {
			streams := 0
			for seed := range uint64(8) {
				p.seed, p.streams, p.dawdle = seed, 8, time.Duration(seed%3)*expire/2
				o := run(t, p)
				streams += o.streams
				for _, f := range o.faults {
					t.Errorf("seed %d: %s", seed, f)
				}
				t.Logf("%v, %d streams, %d packs condemned, %d deleted, %d rewritten, %d kept", o.calls, o.streams, o.totals.Condemned, o.totals.Deleted, o.totals.Rewritten, o.totals.KeptPacks)
			}
			if streams == 0 {
				t.Error("no stream was ever left")
			}
		})
	}
}

func TestNothingIsLostWithIndexesOnDisk(t *testing.T) {
	for name, p := range worlds {
		t.Run(name, func(t *testing.T) {
			p.seed, p.streams, p.folder = 7, 4, t.TempDir
			for at, what := range map[int]mishap{30: freezes, 40: dies, 50: nothing} {
				p.role, p.at, p.what = "writer 0", at, what
				for _, f := range run(t, p).faults {
					t.Errorf("%v: %s", what, f)
				}
			}
		})
	}
}

// TestNothingIsLostWhateverGoesWrong lets one operation of one process go wrong, each in turn and
// in every way. Without -whole it takes a sample.
func TestNothingIsLostWhateverGoesWrong(t *testing.T) {
	order := []string{"consistent", "lagging", "two win", "by turns"}
	const streams = 3
	calls := map[string]int{}
	for i, name := range order {
		p := worlds[name]
		p.seed, p.streams = uint64(i), streams
		for role, n := range run(t, p).calls {
			calls[role] = max(calls[role], n)
		}
	}
	var tried tally
	t.Cleanup(func() { tried.sum(t) })
	pick := rand.New(rand.NewPCG(2, 3))
	for _, role := range []string{"writer 0", "collector", "reader"} {
		step := calls[role]
		switch {
		case *whole && role == "reader":
			step = 10 * *every // all that it does is much the same
		case *whole:
			step = *every
		}
		for what := fails; what < mishaps; what++ {
			first := 1 + pick.IntN(step)
			tried.planned += 1 + (calls[role]-first)/step
			t.Run(fmt.Sprintf("%s %v", role, what), func(t *testing.T) {
				t.Parallel()
				for at := first; at <= calls[role]; at += step {
					p := worlds[order[(at+int(what))%len(order)]]
					p.streams, p.seed, p.role, p.what, p.at = streams, uint64(at), role, what, at
					p.dawdle = time.Duration(at%3) * expire / 2
					o := run(t, p)
					tried.add(t, o.faulted)
					for _, f := range o.faults {
						if role != "reader" || !strings.HasPrefix(f, "reading") { // its own operation failed
							t.Errorf("operation %d: %s", at, f)
						}
					}
				}
			})
		}
	}
}

// tally counts what was tried.
type tally struct {
	planned       int // known before the first run
	runs, faulted atomic.Int64
}

// add counts a run, and tells now and then how far it is.
func (c *tally) add(t *testing.T, faulted int) {
	c.faulted.Add(int64(faulted))
	if n := c.runs.Add(1); n%250 == 0 {
		t.Logf("%d of %d runs, %d operations faulted", n, c.planned, c.faulted.Load())
	}
}

// sum tells what was tried, when all is done.
func (c *tally) sum(t *testing.T) {
	t.Logf("%d runs, %d operations faulted", c.runs.Load(), c.faulted.Load())
	if 3*c.faulted.Load() < c.runs.Load() {
		t.Error("most mishaps never happened")
	}
}
