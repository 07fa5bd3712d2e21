package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// cpu is what the process has used so far.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func BenchmarkPageOfManyCheckpoints(b *testing.B) {
	s := openFile(b, filepath.Join(b.TempDir(), "karbor.db"))
	const n = 20000
	var marker string
	for i := range n {
		c := storetest.NewCheckpoint("project")
		if i == n/2 {
			marker = c.ID
		}
		if err := s.PutCheckpoint(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	before := cpu(b)
	for b.Loop() {
		list, err := s.Checkpoints(b.Context(), store.CheckpointFilter{ProjectID: "project", ProviderID: "provider"},
			store.Page{Limit: 100, Marker: marker})
		if err != nil || len(list) != 100 {
			b.Fatal(len(list), err)
		}
	}
	report(b, before)
}

func BenchmarkListOfPlans(b *testing.B) {
	s := openFile(b, filepath.Join(b.TempDir(), "karbor.db"))
	for range 100 {
		if err := s.CreatePlan(b.Context(), storetest.NewPlan("project"), -1); err != nil {
			b.Fatal(err)
		}
	}
	before := cpu(b)
	for b.Loop() {
		list, err := s.Plans(b.Context(), store.PlanFilter{ProjectID: "project"}, store.Page{})
		if err != nil || len(list) != 100 {
			b.Fatal(len(list), err)
		}
	}
	report(b, before)
}

// BenchmarkCheckpoint does what one checkpoint without work costs in the store,
// but for the engine's journal.
func BenchmarkCheckpoint(b *testing.B) {
	s := openFile(b, filepath.Join(b.TempDir(), "karbor.db"))
	ctx := context.Background()
	before := cpu(b)
	for b.Loop() {
		a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
		id := a.Operation.ID
		err := errors.Join(s.Accept(ctx, a), s.Dispatched(ctx, id))
		_, read := s.Operation(ctx, id)
		for _, n := range a.Operation.Graph.Nodes() {
			err = errors.Join(err, s.UpdateResource(ctx, id, n.Key(), func(r *store.ResourceRecord) error {
				r.State = karbor.ResourceAvailable
				return nil
			}))
		}
		end := s.EndOperation(ctx, id, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"})
		if err := errors.Join(err, read, end); err != nil {
			b.Fatal(fmt.Errorf("checkpoint: %w", err))
		}
	}
	report(b, before)
}
