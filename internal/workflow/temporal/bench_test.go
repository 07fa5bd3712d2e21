//go:build temporal

package temporal_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/temporal"
)

// largeGraph has two steps for each of n resources of a project, as a plan of them has, and
// nothing that could be passed by.
func largeGraph(n int) workflow.Steps {
	steps := make(workflow.Steps, 0, 2*n+2)
	steps = append(steps, workflow.Step{ID: "begin", Action: "work", Quick: true})
	for i := range n {
		first := fmt.Sprintf("snapshot/00000000-0000-4000-8000-%012d", i)
		steps = append(steps, workflow.Step{ID: first, Action: "work", After: []string{"begin"}, Limit: "project/snapshot"},
			workflow.Step{ID: fmt.Sprintf("main/00000000-0000-4000-8000-%012d", i), Action: "work", After: []string{first}, Limit: "project/main"})
	}
	return append(steps, workflow.Step{ID: "end", Action: "last", When: workflow.Always})
}

// BenchmarkLargeFlow runs the flow of 5,000 resources, each step of which is carried out.
func BenchmarkLargeFlow(b *testing.B) {
	const resources = 5000
	var done atomic.Int64
	over := make(chan struct{}, 1)
	work := func(context.Context, *workflow.Task) error {
		done.Add(1)
		return nil
	}
	p := start(b, temporal.Options{Queue: "large", Owner: "bench", Options: workflow.Options{Default: 16, Actions: map[string]workflow.Action{
		"work": work,
		"last": func(context.Context, *workflow.Task) error {
			over <- struct{}{}
			return nil
		},
	}}})
	defer p.close(b)
	for i := 0; b.Loop(); i++ {
		done.Store(0)
		if err := p.engine.Start(b.Context(), fmt.Sprint("large", i), largeGraph(resources)); err != nil {
			b.Fatal(err)
		}
		<-over
		if n := done.Load(); n < 2*resources {
			b.Errorf("%d steps ran", n)
		}
	}
	b.ReportMetric(float64(peak(b)), "peak-MiB")
}

// peak is the largest resident memory of this process, in MiB.
func peak(b *testing.B) int {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kib >> 10
		}
	}
	return 0
}
