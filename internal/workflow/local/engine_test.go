package local_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

func TestRunGivesUpWaitingForTheLease(t *testing.T) {
	s := openStore(t)
	if _, _, err := s.Journal().Acquire(t.Context(), "other", time.Hour); err != nil {
		t.Fatal(err)
	}
	e, err := local.New(local.Options{Journal: s.Journal(), Owner: "late", Now: time.Now, LeaseWait: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, local.ErrHeld) || !strings.Contains(err.Error(), "lasts for another") {
		t.Errorf("got %v", err)
	}
}

func TestSecondEngineStartsAsSoonAsTheFirstStops(t *testing.T) {
	s := openStore(t)
	first := start(t, s, local.Options{Owner: "first", LeaseFor: time.Hour})
	awaitOperation(t, first.engine, "a") // it holds the lease
	first.stop()
	second := start(t, s, local.Options{Owner: "second", LeaseFor: time.Hour})
	awaitOperation(t, second.engine, "b")
	second.stop()
	if err := errors.Join(first.err, second.err); err != nil {
		t.Error(err)
	}
}

// awaitOperation runs an empty operation to its end.
func awaitOperation(t *testing.T, e *local.Engine, id string) {
	t.Helper()
	if err := e.Start(t.Context(), id, workflow.Steps{}); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, e, id)
}

func awaitEnd(t *testing.T, e *local.Engine, id string) workflow.Description {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		d, err := e.Describe(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if d.State.Ended() {
			return d
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("%s did not end: %+v", id, d)
		}
	}
}

func TestNoMoreOperationsAreLoadedThanAllowed(t *testing.T) {
	s := openStore(t)
	var (
		mu        sync.Mutex
		now, most int
	)
	gate := make(chan struct{})
	began := make(chan struct{}, 100)
	p := start(t, s, local.Options{Owner: "first", Loaded: 4, Options: workflow.Options{Default: 100,
		Actions: map[string]workflow.Action{"work": func(ctx context.Context, _ *workflow.Task) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				now--
			}()
			began <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return ctx.Err()
		}}}})
	defer p.stop()
	const n = 10
	for i := range n {
		if err := p.engine.Start(t.Context(), strconv.Itoa(i), workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
			t.Fatal(err)
		}
	}
	<-began
	<-began
	close(gate)
	for i := range n {
		if d := awaitEnd(t, p.engine, strconv.Itoa(i)); d.State != workflow.Succeeded {
			t.Errorf("%+v", d)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most != 2 {
		t.Errorf("%d operations of one share ran at once", most)
	}
}

func TestOtherProcessesHandOverAndCancel(t *testing.T) {
	s := openStore(t)
	began := make(chan struct{}, 1)
	// A third of the lease is how often other processes' wishes are looked for. It
	// must outlast a slow disk: an engine that loses it ends.
	options := local.Options{Owner: "first", LeaseFor: 3 * time.Second, Options: workflow.Options{
		Actions: map[string]workflow.Action{"work": func(ctx context.Context, _ *workflow.Task) error {
			began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}}}}
	p := start(t, s, options)
	defer p.stop()
	options.Owner, options.Journal, options.Now = "other", s.Journal(), time.Now
	other, err := local.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(t.Context(), "a", workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-began:
	case <-p.over:
		t.Fatalf("the engine ended: %v", p.err)
	}
	if err := other.Cancel(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	if d := awaitEnd(t, other, "a"); d.State != workflow.Cancelled || d.Cancelled == "" {
		t.Errorf("got %+v", d)
	}
}

// faulty fails every other write, and counts the records of running steps.
type faulty struct {
	local.Journal
	mu       sync.Mutex
	calls    int
	progress int
	every    int
}

func (f *faulty) Record(ctx context.Context, token int64, batch local.Batch) error {
	f.mu.Lock()
	f.calls++
	fails := f.every > 0 && f.calls%f.every != 0
	for _, s := range batch.Steps {
		if s.State == workflow.Running {
			f.progress++
		}
	}
	f.mu.Unlock()
	if fails {
		return karbor.Transientf("the database's disk is full")
	}
	return f.Journal.Record(ctx, token, batch)
}

// inBubble runs an engine with a fake clock, and calls f beside it.
func inBubble(t *testing.T, journal *faulty, actions map[string]workflow.Action, f func(t *testing.T, e *local.Engine)) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		journal.Journal = s.Journal()
		e, err := local.New(local.Options{Journal: journal, Owner: "first", Now: time.Now,
			Options: workflow.Options{Actions: actions}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		f(t, e)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFailedWritesAreTriedAgain(t *testing.T) {
	var ran atomic.Int32
	actions := map[string]workflow.Action{"work": func(context.Context, *workflow.Task) error {
		ran.Add(1)
		return nil
	}}
	inBubble(t, &faulty{every: 4}, actions, func(t *testing.T, e *local.Engine) {
		steps := workflow.Steps{{ID: "a", Action: "work"}, {ID: "b", Action: "work", After: []string{"a"}}}
		if err := e.Start(t.Context(), "operation", steps); err != nil {
			t.Fatal(err)
		}
		if d := awaitEnd(t, e, "operation"); d.State != workflow.Succeeded || ran.Load() != 2 {
			t.Errorf("%d runs, %+v", ran.Load(), d)
		}
	})
}

func TestProgressIsJournalledOnceASecond(t *testing.T) {
	actions := map[string]workflow.Action{"work": func(_ context.Context, task *workflow.Task) error {
		for i := range 100 {
			task.Progress(int64(i), 100)
			time.Sleep(100 * time.Millisecond) // of the fake clock
		}
		return nil
	}}
	journal := &faulty{}
	inBubble(t, journal, actions, func(t *testing.T, e *local.Engine) {
		if err := e.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5500 * time.Millisecond)
		found, err := journal.Load(t.Context(), "operation")
		if err != nil || len(found.Records) != 1 || found.Records[0].Done < 40 || found.Records[0].Attempts != 1 {
			t.Errorf("half-way the journal has %+v, %v", found.Records, err)
		}
		awaitEnd(t, e, "operation")
		if journal.progress < 8 || journal.progress > 11 {
			t.Errorf("progress was journalled %d times in 10 s", journal.progress)
		}
	})
}

func TestRetriesWaitAsLongAsTheContractSays(t *testing.T) {
	var times []time.Time
	actions := map[string]workflow.Action{"work": func(context.Context, *workflow.Task) error {
		times = append(times, time.Now())
		return karbor.Transientf("it is busy")
	}}
	inBubble(t, &faulty{}, actions, func(t *testing.T, e *local.Engine) {
		if err := e.Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
			t.Fatal(err)
		}
		awaitEnd(t, e, "operation")
		waits := []int{1, 2, 4, 8, 16, 32, 60, 60}
		if len(times) != len(waits)+1 {
			t.Fatalf("%d attempts", len(times))
		}
		for i, seconds := range waits {
			want := time.Duration(seconds) * time.Second
			if got := times[i+1].Sub(times[i]); got < want*8/10 || got > want*12/10+time.Second/10 {
				t.Errorf("the wait %d was %s, want about %s", i, got, want)
			}
		}
	})
}

func TestActionThatEndsItsGoroutineFails(t *testing.T) {
	s := openStore(t)
	p := start(t, s, local.Options{Owner: "first", Options: workflow.Options{
		Actions: map[string]workflow.Action{"work": func(context.Context, *workflow.Task) error {
			runtime.Goexit()
			return nil
		}}}})
	defer p.stop()
	if err := p.engine.Start(t.Context(), "a", workflow.Steps{{ID: "a", Action: "work"}}); err != nil {
		t.Fatal(err)
	}
	if d := awaitEnd(t, p.engine, "a"); d.State != workflow.Failed {
		t.Errorf("got %+v", d)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	j := openStore(t).Journal()
	good := local.Options{Journal: j, Owner: "first", Now: time.Now}
	tests := map[string]func(*local.Options){
		"no journal":     func(o *local.Options) { o.Journal = nil },
		"no owner":       func(o *local.Options) { o.Owner = "" },
		"no clock":       func(o *local.Options) { o.Now = nil },
		"negative lease": func(o *local.Options) { o.LeaseFor = -1 },
		"no places":      func(o *local.Options) { o.Limits = map[string]int{"x": 0} },
	}
	for name, change := range tests {
		o := good
		change(&o)
		if _, err := local.New(o); err == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
	if _, err := local.New(good); err != nil {
		t.Error(err)
	}
}
