package store_test

import (
	"context"
	"errors"
	"flag"
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

var manyRows = flag.Int("rows", 100_000, "the rows of the larger table of BenchmarkPage")

// BenchmarkPage reads pages of 100 from amid a small and a large table, by keys with
// few and with many equal values, of one project and of all: a page costs the same.
func BenchmarkPage(b *testing.B) {
	for _, rows := range []int{1000, *manyRows} {
		path := filepath.Join(b.TempDir(), "karbor.db")
		s := openFile(b, path)
		db := raw(b, path)
		db.SetMaxOpenConns(1)
		for _, pragma := range []string{"cache_size = -400000", "synchronous = OFF"} {
			if _, err := db.Exec("PRAGMA " + pragma); err != nil {
				b.Fatal(err)
			}
		}
		fillTable(b, db, func(s string) string { return s }, "plans", rows)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		middle, err := s.Plans(b.Context(), store.PlanFilter{ProjectID: "project1", Status: "status5"}, store.Page{Limit: 1, Sort: []store.Sort{{Key: "id"}}})
		if err != nil || len(middle) != 1 {
			b.Fatal(len(middle), err)
		}
		for _, key := range []string{"created_at", "status"} {
			for _, project := range []string{"project1", ""} {
				b.Run(fmt.Sprintf("rows=%d/sort=%s/project=%t", rows, key, project != ""), func(b *testing.B) {
					page := store.Page{Limit: 100, Marker: middle[0].ID, Sort: []store.Sort{{Key: key, Desc: true}}}
					before := cpu(b)
					for b.Loop() {
						if _, err := s.Plans(b.Context(), store.PlanFilter{ProjectID: project}, page); err != nil {
							b.Fatal(err)
						}
					}
					report(b, before)
				})
			}
		}
	}
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
