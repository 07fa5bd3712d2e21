package temporal

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	sdk "go.temporal.io/sdk/workflow"
)

const (
	// mostQuick is the most attempts of quick steps that a process makes.
	mostQuick = 200
	// mostCached is the most operations whose state a process keeps in memory.
	mostCached = 256
	// stopTime is how long actions may take to give up when the engine stops.
	stopTime = time.Minute
	// stuckTime is how long the interpreter may think; it reads large graphs.
	stuckTime = 20 * time.Second
	pollers   = 4
	// stickyTime is how long the process that knows an operation by heart may take until
	// any other is asked what comes next.
	stickyTime = 2 * time.Second
)

// run is one call of Engine.Run.
type run struct {
	e     *Engine
	ctx   context.Context
	pools *pools
	// slots are for all attempts, waiting for those that wait for a place.
	slots, waiting *slots
}

// Run makes this process a worker of the cluster until ctx ends. Then it lets the running
// actions stop, and returns nil: what did not end goes on elsewhere, or at the next Run.
// One Run at a time runs on an engine.
func (e *Engine) Run(ctx context.Context) error {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{e: e, ctx: inner, pools: newPools(e.places), slots: newSlots(mostAtHand, firstAtHand), waiting: newSlots(mostWaiting, firstWaiting)}
	worker.SetStickyWorkflowCacheSize(mostCached)
	w := worker.New(e.client, e.options.Queue, worker.Options{
		Identity:                                e.options.Owner,
		MaxConcurrentActivityExecutionSize:      mostAttempts,
		MaxConcurrentLocalActivityExecutionSize: mostQuick,
		MaxConcurrentWorkflowTaskPollers:        pollers,
		MaxConcurrentActivityTaskPollers:        pollers,
		StickyScheduleToStartTimeout:            stickyTime,
		WorkerStopTimeout:                       stopTime,
		DeadlockDetectionTimeout:                stuckTime,
		OnFatalError:                            func(err error) { stop(err) },
	})
	w.RegisterWorkflowWithOptions(e.codec.operation, sdk.RegisterOptions{Name: operationName})
	w.RegisterActivityWithOptions(r.long, activity.RegisterOptions{Name: stepName})
	w.RegisterActivityWithOptions(r.short, activity.RegisterOptions{Name: quickName})
	if err := w.Start(); err != nil {
		return explain(err, "becoming a worker of the engine's cluster")
	}
	hurried := make(chan struct{})
	go func() {
		defer close(hurried)
		if err := e.hurry(inner); err != nil && inner.Err() == nil {
			e.log.LogAttrs(ctx, slog.LevelWarn, "steps that wait for their next attempt may wait on", slog.Any("error", err))
		}
	}()
	<-inner.Done()
	w.Stop()
	<-hurried
	if ctx.Err() == nil {
		return fmt.Errorf("running operations: %w", context.Cause(inner))
	}
	return nil
}

// hurry lets no operation wait any longer for what failed with a process that died.
func (e *Engine) hurry(ctx context.Context) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: e.options.Cluster.Namespace, PageSize: 100,
		Query: fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running'", strings.ReplaceAll(e.options.Queue, "'", "")),
	}
	for {
		page, err := e.client.ListWorkflow(ctx, request)
		if err != nil {
			return err
		}
		for _, found := range page.GetExecutions() {
			// One that is over meanwhile needs no hurry.
			if err := e.client.SignalWorkflow(ctx, found.GetExecution().GetWorkflowId(), "", signalHurry, nil); ctx.Err() != nil {
				return err
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return nil
		}
	}
}
