// Package health tells whether the service can do its work: for load balancers a
// word, for operators what does not answer.
package health

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
)

// Check looks after one thing that the service needs.
type Check struct {
	// Name is what operators read, such as "database" or "bank of gold".
	Name string
	// Essential says that without it no request can be served: a load balancer
	// should send requests elsewhere. What all nodes share and need for some work
	// only is not essential, or one failure of it would take all nodes away.
	Essential bool
	// Run reports what is wrong. It should heed the context, but need not: one that
	// hangs counts as failed, and is not started again before it ends.
	Run func(ctx context.Context) error
}

// The states of a check, and of the whole.
const (
	OK = "ok"
	// Degraded is the whole when something fails that is not essential.
	Degraded = "degraded"
	// Failed is a check that fails, and the whole when an essential one does.
	Failed = "failed"
	// Stopping is the whole while the process ends.
	Stopping = "stopping"
)

// Result is what a check found.
type Result struct {
	Name      string `json:"name"`
	Status    string `json:"status"`
	Essential bool   `json:"essential"`
	// Reason is for operators; it holds no secret.
	Reason string `json:"reason,omitempty"`
	// Milliseconds is how long the check took.
	Milliseconds int64 `json:"duration_ms"`
	// CheckedAt is ISO 8601, UTC.
	CheckedAt string `json:"checked_at"`
}

// Report is the state of the whole.
type Report struct {
	Status string   `json:"status"`
	Checks []Result `json:"checks,omitempty"`
}

// Options of New.
type Options struct {
	Checks []Check
	// Timeout bounds a report; 2 s if 0. TTL is how long a result is told again
	// without a new check; 5 s if 0.
	Timeout, TTL time.Duration
	Now          func() time.Time
	Logger       *slog.Logger
}

// Board runs checks and remembers what they found. It is safe for concurrent use.
type Board struct {
	timeout, ttl time.Duration
	now          func() time.Time
	log          *slog.Logger
	watches      []*watch

	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	stop    bool
}

// watch is a check with what is known of it; the board's lock guards it.
type watch struct {
	Check
	at     time.Time
	result Result
	// done is closed at the end of the run that is under way; nil without one.
	done chan struct{}
	// began is when that run began.
	began time.Time
}

// New makes a board. No check runs before the first report is asked for.
func New(o Options) *Board {
	b := &Board{timeout: o.Timeout, ttl: o.TTL, now: o.Now, log: o.Logger}
	if b.timeout <= 0 {
		b.timeout = 2 * time.Second
	}
	if b.ttl <= 0 {
		b.ttl = 5 * time.Second
	}
	for _, c := range o.Checks {
		b.watches = append(b.watches, &watch{Check: c})
	}
	return b
}

// Stopping makes every further report say that the process ends.
func (b *Board) Stopping() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop = true
}

// Close waits for checks that run, but not longer than the time-out of a report: one
// may hang in something that no context ends. No check starts afterwards.
func (b *Board) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	ended := make(chan struct{})
	go func() { b.running.Wait(); close(ended) }()
	timer := time.NewTimer(b.timeout)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return errors.New("a health check hangs")
	}
}

// Report gives the state of the whole, within the time-out.
func (b *Board) Report(ctx context.Context) Report {
	limit, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	for _, done := range b.refresh(ctx) {
		select {
		case <-done:
		case <-limit.Done():
		}
	}
	return b.report()
}

// refresh starts the checks whose results are old, and gives what is closed when
// each has ended.
func (b *Board) refresh(ctx context.Context) []chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.stop {
		return nil
	}
	now := b.now()
	var waits []chan struct{}
	for _, w := range b.watches {
		if w.done == nil && (w.at.IsZero() || now.Sub(w.at) >= b.ttl) {
			w.done, w.began = make(chan struct{}), now
			done := w.done
			b.running.Go(func() { b.run(context.WithoutCancel(ctx), w, done) })
		}
		if w.done != nil {
			waits = append(waits, w.done)
		}
	}
	return waits
}

func (b *Board) run(ctx context.Context, w *watch, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	began := b.now()
	err := w.Run(ctx)
	at := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	before := w.result.Status
	w.result = Result{
		Name: w.Name, Essential: w.Essential, Status: OK,
		Milliseconds: at.Sub(began).Milliseconds(), CheckedAt: at.UTC().Format(time.RFC3339),
	}
	if err != nil {
		w.result.Status, w.result.Reason = Failed, karbor.Sentence(err)
	}
	if err != nil && before != Failed {
		b.log.WarnContext(ctx, "a health check fails", "check", w.Name, "error", err)
	}
	if err == nil && before == Failed {
		b.log.InfoContext(ctx, "a health check succeeds again", "check", w.Name)
	}
	w.at, w.done = at, nil
	close(done)
}

// report sums up what is known.
func (b *Board) report() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := Report{Status: OK}
	now := b.now()
	for _, w := range b.watches {
		result := w.result
		switch {
		case w.done != nil && now.Sub(w.began) >= b.timeout:
			result = Result{Name: w.Name, Essential: w.Essential, Status: Failed, Reason: "it does not answer", CheckedAt: now.UTC().Format(time.RFC3339)}
		case result.Status == "":
			result = Result{Name: w.Name, Essential: w.Essential, Status: Failed, Reason: "it was not checked yet", CheckedAt: now.UTC().Format(time.RFC3339)}
		}
		r.Checks = append(r.Checks, result)
		switch {
		case result.Status == OK:
		case result.Essential:
			r.Status = Failed
		case r.Status == OK:
			r.Status = Degraded
		}
	}
	if b.stop {
		r.Status = Stopping
	}
	return r
}
