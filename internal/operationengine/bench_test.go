package operationengine

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/store"
)

// fill keeps scheduled operations behind the store's back, as fast as that goes: each
// with a trigger of its own, or all with one.
func (s *site) fill(b *testing.B, operations int, ownTriggers bool) {
	b.Helper()
	first := s.schedule(b, "p0", hourly)
	triggers := "SELECT trigger_id FROM scheduled_operations WHERE id = '" + first.ID + "'"
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
	count := fmt.Sprintf(numbers, operations-1)
	id := "printf('00000000-0000-4000-8000-%012d', i)"
	trigger := "(" + triggers + ")"
	if ownTriggers {
		s.exec(b, "INSERT INTO triggers (id, name, project_id, type, properties, created_at, updated_at, deleted) "+count+
			" SELECT "+id+", 't', 'p' || (i % 100), 'time', (SELECT properties FROM triggers WHERE id = ("+triggers+")), 0, 0, 0 FROM n")
		trigger = id
	}
	s.exec(b, "INSERT INTO scheduled_operations (id, name, description, operation_type, project_id, user_id, trigger_id, plan_id, "+
		"operation_definition, enabled, created_at, updated_at, deleted) "+count+" SELECT "+id+", 'o', '', 'protect', 'p' || (i % 100), 'u', "+
		trigger+", o.plan_id, o.operation_definition, 1, 0, 0, 0 FROM n, scheduled_operations o WHERE o.id = '"+first.ID+"'")
	s.exec(b, "INSERT INTO schedules (scheduled_operation_id, project_id, next_at, due_at, fired_at, overlap_policy, delegation, "+
		"delegation_kind, delegation_state, delegation_reason, deleted) "+count+" SELECT "+id+", 'p' || (i % 100), v.next_at, v.due_at, "+
		"v.fired_at, 'skip', v.delegation, 'trust', 'good', '', 0 FROM n, schedules v WHERE v.scheduled_operation_id = '"+first.ID+"'")
}

func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// realNode makes an engine that runs as in the service; the site's clock goes on from
// where it is.
func (s *site) realNode() *Engine {
	began := time.Now()
	from := s.now()
	return New(Options{
		Store: s.store, Lender: s, Runners: s.runners(s.accept), Node: "bench",
		Now: func() time.Time {
			at := from.Add(time.Since(began))
			s.mu.Lock()
			defer s.mu.Unlock()
			s.clock = at
			return at
		},
		Logger: slog.New(slog.DiscardHandler),
	})
}

var benchOperations = flag.Int("operations", 10_000, "scheduled operations on one tick")

// BenchmarkOneTick starts operations that all have the same time.
func BenchmarkOneTick(b *testing.B) {
	operations := *benchOperations
	for b.Loop() {
		s := newSite(b, midnight)
		s.fill(b, operations, false)
		s.advance(hour)
		e := s.realNode()
		before, tick := processTime(), s.now()
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		for s.operations() < operations {
			time.Sleep(10 * time.Millisecond)
		}
		spent := processTime() - before
		stop()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		late := lateness(b, s, tick)
		b.ReportMetric(late[len(late)/2].Seconds(), "p50-s")
		b.ReportMetric(late[len(late)*99/100].Seconds(), "p99-s")
		b.ReportMetric(float64(spent.Microseconds())/float64(operations), "CPU-µs/start")
		b.ReportMetric(float64(len(late)), "started")
	}
}

// lateness gives how late each run began, the least first.
func lateness(b *testing.B, s *site, tick time.Time) (out []time.Duration) {
	b.Helper()
	ids, err := s.store.ScheduledOperations(b.Context(), store.ScheduledOperationFilter{}, store.Page{})
	for err == nil && len(ids) > 0 {
		for _, o := range ids {
			runs, err := s.store.ScheduledRuns(b.Context(), o.ID)
			if err != nil || len(runs) != 1 || runs[0].StartedAt.IsZero() {
				b.Fatalf("%v, %v", runs, err)
			}
			out = append(out, runs[0].StartedAt.Sub(tick))
		}
		ids, err = s.store.ScheduledOperations(b.Context(), store.ScheduledOperationFilter{}, store.Page{Marker: ids[len(ids)-1].ID})
	}
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// BenchmarkStartWithManyTriggers is what an engine does before its first run, with a
// hundred thousand triggers.
func BenchmarkStartWithManyTriggers(b *testing.B) {
	s := newSite(b, midnight)
	s.fill(b, 100_000, true)
	before := processTime()
	for b.Loop() {
		e := s.realNode()
		if err := e.recover(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := e.look(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processTime()-before).Microseconds())/1000/float64(b.N), "CPU-ms/start")
}
