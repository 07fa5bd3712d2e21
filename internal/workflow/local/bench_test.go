package local_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// counted counts the journal's commits.
type counted struct {
	local.Journal
	commits atomic.Int64
}

func (c *counted) Create(ctx context.Context, token int64, op local.OperationRecord, steps []workflow.Step) (bool, error) {
	c.commits.Add(1)
	return c.Journal.Create(ctx, token, op, steps)
}

func (c *counted) Record(ctx context.Context, token int64, batch local.Batch) error {
	c.commits.Add(1)
	return c.Journal.Record(ctx, token, batch)
}

// BenchmarkFlow runs one flow after the other, as a site with little to do does.
func BenchmarkFlow(b *testing.B) {
	for _, steps := range []int{2, 12} {
		b.Run(fmt.Sprintf("%d steps in a row", steps), func(b *testing.B) { benchmark(b, steps, true) })
		b.Run(fmt.Sprintf("%d steps at once", steps), func(b *testing.B) { benchmark(b, steps, false) })
	}
}

func benchmark(b *testing.B, n int, inARow bool) {
	journal := &counted{Journal: openStore(b).Journal()}
	over := make(chan struct{})
	engine, err := local.New(local.Options{
		Options: workflow.Options{Actions: map[string]workflow.Action{
			"work": func(context.Context, *workflow.Task) error { return nil },
			"end":  func(context.Context, *workflow.Task) error { over <- struct{}{}; return nil },
		}},
		Journal: journal, Owner: "bench", Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- engine.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	var steps workflow.Steps
	for i := range n - 1 {
		s := workflow.Step{ID: fmt.Sprint("step", i), Action: "work"}
		if i > 0 && inARow {
			s.After = []string{steps[i-1].ID}
		}
		steps = append(steps, s)
	}
	steps = append(steps, workflow.Step{ID: "end", Action: "end", When: workflow.Always})
	before := cpu(b)
	for i := 0; b.Loop(); i++ {
		if err := engine.Start(b.Context(), fmt.Sprint("operation", i), steps); err != nil {
			b.Fatal(err)
		}
		<-over
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(journal.commits.Load())/float64(b.N), "commits/op")
}

// BenchmarkSteps runs many operations at a time, as a busy site does, and tells the
// steps that are done in a second, each journalled durably.
func BenchmarkSteps(b *testing.B) {
	const operations, n = 64, 32
	var left atomic.Int64
	over := make(chan struct{}, 1)
	engine, err := local.New(local.Options{
		Options: workflow.Options{Actions: map[string]workflow.Action{
			"work": func(context.Context, *workflow.Task) error { return nil },
			"end": func(context.Context, *workflow.Task) error {
				if left.Add(-1) == 0 {
					over <- struct{}{}
				}
				return nil
			},
		}},
		Journal: openStore(b).Journal(), Owner: "bench", Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- engine.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	var steps workflow.Steps
	for i := range n - 1 {
		s := workflow.Step{ID: fmt.Sprint("step", i), Action: "work"}
		if i > 1 {
			s.After = []string{steps[i-2].ID} // two rows side by side
		}
		steps = append(steps, s)
	}
	steps = append(steps, workflow.Step{ID: "end", Action: "end", When: workflow.Always})
	before := cpu(b)
	for i := 0; b.Loop(); i++ {
		left.Store(operations)
		for o := range operations {
			if err := engine.Start(b.Context(), fmt.Sprint(i, "/", o), steps); err != nil {
				b.Fatal(err)
			}
		}
		<-over
	}
	total := float64(b.N) * operations * n
	b.ReportMetric(total/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/total, "cpu-µs/step")
}

// cpu is what the process has used so far.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
