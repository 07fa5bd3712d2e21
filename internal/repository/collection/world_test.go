package collection_test

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
)

// world is one bank, and all who work on it. Its time is that of a synctest bubble.
type world struct {
	base *banktest.Memory
	// lag is for how long listings may hide what was created, and show what was deleted.
	lag time.Duration
	// turns has listings lag as badly as they may where sessions are renewed.
	turns bool
	// twoWin lets two creates of one key within a second both win.
	twoWin bool
	late   sync.WaitGroup // requests that the bank carries out later

	mu      sync.Mutex
	rng     *rand.Rand
	deleted map[string]deletion
	streams map[string][]int // the items of the manifests that may be there
	calls   map[string]int
	faulted int
	totals  collection.Result
	faults  []string // what was seen that must not be
}

type deletion struct {
	info bank.Info
	at   time.Time
}

func (w *world) random(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) duration(most time.Duration) time.Duration {
	return time.Duration(w.random(int(most/time.Millisecond)+1)) * time.Millisecond
}

func (w *world) fault(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, text)
}

// delay is for how long listings lie about a key. By turns, every second record of a session is
// shown late, and that before it is gone at once.
func (w *world) delay(key string) time.Duration {
	if last := key[len(key)-1]; w.turns && strings.Contains(key, "/sessions/") {
		return w.lag * time.Duration((last-'0')%2)
	}
	h := fnv.New32()
	_, _ = h.Write([]byte(key))
	return w.lag * time.Duration(h.Sum32()%100) / 100
}

// list is what a listing shows.
func (w *world) list(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if w.lag == 0 {
		return w.base.List(ctx, prefix, marker, limit)
	}
	var all []bank.Info
	for from := ""; ; from = all[len(all)-1].Key {
		page, err := w.base.List(ctx, prefix, from, bank.MaxList)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < bank.MaxList {
			break
		}
	}
	now := time.Now()
	shown := slices.DeleteFunc(all, func(i bank.Info) bool { return now.Before(i.ModTime.Add(w.delay(i.Key))) })
	w.mu.Lock()
	for key, d := range w.deleted {
		if strings.HasPrefix(key, prefix) && now.Before(d.at.Add(w.delay(key))) && !slices.ContainsFunc(shown, func(i bank.Info) bool { return i.Key == key }) {
			shown = append(shown, d.info)
		}
	}
	w.mu.Unlock()
	slices.SortFunc(shown, func(a, b bank.Info) int { return strings.Compare(a.Key, b.Key) })
	shown = slices.DeleteFunc(shown, func(i bank.Info) bool { return i.Key <= marker })
	return shown[:min(limit, len(shown))], nil
}

func (w *world) create(ctx context.Context, key string, text []byte) error {
	err := w.base.Create(ctx, key, bytes.NewReader(text), int64(len(text)))
	if karbor.KindOf(err) == karbor.Conflict && w.twoWin {
		if i, statErr := w.base.Stat(ctx, key); statErr == nil && time.Since(i.ModTime) < time.Second {
			return w.base.Put(ctx, key, bytes.NewReader(text), int64(len(text)))
		}
	}
	return err
}

func (w *world) remove(ctx context.Context, key string) error {
	if i, err := w.base.Stat(ctx, key); err == nil {
		w.mu.Lock()
		w.deleted[key] = deletion{i, time.Now()}
		w.mu.Unlock()
	}
	return w.base.Delete(ctx, key)
}

// mishap is what goes wrong at one operation.
type mishap int

// The mishaps.
const (
	nothing  mishap = iota
	fails           // it is not done, and says so
	lost            // it is done, and its answer is lost
	late            // it fails, and is done a while later all the same
	hangs           // it is not done, and gives no answer until the client gives it up
	freezes         // its process stands still, longer than a lease lives
	pauses          // so does its machine, with all clocks that it has
	dies            // its process ends before it
	diesDone        // its process ends after it
	mishaps
)

func (m mishap) String() string {
	return [...]string{"nothing", "fails", "lost", "late", "hangs", "freezes", "pauses", "dies", "dies done"}[m]
}

var (
	errFault = karbor.Transientf("a fault that the test asked for")
	errDead  = errors.New("the process is dead")
)

// link is the bank as one process has it.
type link struct {
	w     *world
	role  string
	crash context.CancelFunc
	// at and what say which operation of the role meets with a mishap.
	at   int
	what mishap
	// edit changes what a planted bug writes, and show what it sees.
	edit func(key string, text []byte) []byte
	show func(prefix, marker string, list []bank.Info) []bank.Info
	// lazy puts off the creation of packs, and says that they are there.
	lazy bool

	mu     sync.Mutex
	dead   bool
	frozen time.Time
	stood  time.Duration // how long its clocks have stood still
}

// do does an operation, if nothing goes wrong.
func (l *link) do(ctx context.Context, write bool, op func(context.Context) error) error {
	l.w.mu.Lock()
	l.w.calls[l.role]++
	hit := l.w.calls[l.role] == l.at
	if hit {
		l.w.faulted++
	}
	l.w.mu.Unlock()
	l.mu.Lock()
	dead := l.dead
	freeze := hit && (l.what == freezes || l.what == pauses)
	if freeze {
		l.frozen = time.Now().Add(5 * expire / 2)
	}
	if freeze && l.what == pauses {
		l.stood = 5 * expire / 2
	}
	frozen := l.frozen
	l.mu.Unlock()
	if dead {
		return errDead
	}
	time.Sleep(time.Until(frozen))
	if err := nap(ctx, l.w.duration(200*time.Millisecond)); err != nil {
		return err
	}
	if !hit || freeze {
		return op(ctx)
	}
	switch l.what {
	case lost:
		_ = op(ctx)
	case late:
		if write {
			l.w.late.Go(func() {
				time.Sleep(l.w.duration(margin * 8 / 10))
				_ = op(context.WithoutCancel(ctx))
			})
		}
	case hangs:
		if err := nap(ctx, silence); err != nil {
			return err
		}
	case dies, diesDone:
		if l.what == diesDone {
			_ = op(ctx)
		}
		l.mu.Lock()
		l.dead = true
		l.mu.Unlock()
		l.crash()
		return errDead
	default:
	}
	return errFault
}

// now is the local clock of the process.
func (l *link) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Add(-l.stood)
}

func nap(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) Put(context.Context, string, io.Reader, int64) error {
	return errors.New("nobody may put")
}

func (l *link) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	text, err := io.ReadAll(bank.Exactly(ctx, body, size))
	if err != nil {
		return err
	}
	if l.edit != nil {
		text = l.edit(key, text)
	}
	if l.lazy && (strings.Contains(key, "/packs/") || strings.Contains(key, "/pages/")) {
		l.w.late.Go(func() {
			time.Sleep(20 * time.Second)
			_ = l.do(context.WithoutCancel(ctx), true, func(ctx context.Context) error { return l.w.create(ctx, key, text) })
		})
		return nil
	}
	return l.do(ctx, true, func(ctx context.Context) error { return l.w.create(ctx, key, text) })
}

func (l *link) Get(ctx context.Context, key string, offset, length int64) (r io.ReadCloser, err error) {
	err = l.do(ctx, false, func(ctx context.Context) error {
		r, err = l.w.base.Get(ctx, key, offset, length)
		return err
	})
	return r, err
}

func (l *link) Stat(ctx context.Context, key string) (i bank.Info, err error) {
	err = l.do(ctx, false, func(ctx context.Context) error {
		i, err = l.w.base.Stat(ctx, key)
		return err
	})
	return i, err
}

func (l *link) List(ctx context.Context, prefix, marker string, limit int) (list []bank.Info, err error) {
	err = l.do(ctx, false, func(ctx context.Context) error {
		list, err = l.w.list(ctx, prefix, marker, limit)
		return err
	})
	if l.show != nil && err == nil {
		list = l.show(prefix, marker, list)
	}
	return list, err
}

func (l *link) Delete(ctx context.Context, key string) error {
	return l.do(ctx, true, func(ctx context.Context) error { return l.w.remove(ctx, key) })
}

func (l *link) Now(ctx context.Context) (now time.Time, err error) {
	err = l.do(ctx, false, func(context.Context) error {
		now = time.Now()
		return nil
	})
	return now, err
}

func (l *link) Traits() bank.Traits {
	return bank.Traits{AtomicCreate: !l.w.twoWin, ConsistentList: l.w.lag == 0}
}

func (l *link) Close() error { return nil }
