// Package temporal is the engine of a fleet: it runs operations on a Temporal cluster, in
// any number of processes. It is the only package that imports the cluster's SDK.
//
// One workflow interprets the graph of an operation, which is data: so a new plug-in
// changes no workflow. Steps are activities with heartbeats; quick ones are local
// activities. The cluster gets ids and sentences for tenants, never documents or secrets.
// What it holds can be made again from Karbor's own database.
package temporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	common "go.temporal.io/api/common/v1"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

// Options are those of the engine.
type Options struct {
	workflow.Options
	// Cluster says where the cluster is.
	Cluster Cluster
	// Queue is the task queue that the workers share; "" stands for "karbor".
	Queue string
	// Owner names this process on the cluster; needed.
	Owner string
	// Heartbeat is how long a worker may be silent until its attempts go to another; 0
	// stands for 10 s. It beats at a fifth of it.
	Heartbeat time.Duration
	// Events is the length of a history from which on an operation goes on in a new run;
	// 0 stands for 5,000.
	Events int
	// Now is the clock; needed.
	Now func() time.Time
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
}

const (
	defaultQueue     = "karbor"
	defaultPlaces    = 8
	defaultHeartbeat = 10 * time.Second
)

// Engine implements workflow.Engine. Start, Cancel, Describe and Forget work in any
// process that reaches the cluster; Run makes it a worker.
type Engine struct {
	options Options
	codec   codec
	client  client.Client
	log     *slog.Logger
	now     func() time.Time

	// mu guards graphs, which are those described last, by run.
	mu     sync.Mutex
	graphs map[string]input
}

// Open connects to the cluster, and makes sure that it can be used: that it answers, takes
// this process's certificate, and has the namespace.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Owner == "" || o.Now == nil {
		return nil, errors.New("the temporal engine needs an owner and a clock")
	}
	if o.Heartbeat < 0 || o.Events < 0 || o.Default < 0 {
		return nil, errors.New("an option of the temporal engine is negative")
	}
	o.Queue = cmp.Or(o.Queue, defaultQueue)
	o.Heartbeat = cmp.Or(o.Heartbeat, defaultHeartbeat)
	o.Events = cmp.Or(o.Events, eventsPerRun)
	o.Default = cmp.Or(o.Default, defaultPlaces)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := newCodec()
	if err != nil {
		return nil, err
	}
	e := &Engine{options: o, codec: c, log: o.Logger, now: o.Now, graphs: map[string]input{}}
	if e.client, err = o.Cluster.dial(ctx, o.Owner, o.Logger); err != nil {
		return nil, err
	}
	return e, nil
}

// Close ends the connection. It is called after the end of Run.
func (e *Engine) Close() error {
	e.client.Close()
	return nil
}

// places is the number of places of a pool.
func (e *Engine) places(pool string) int {
	return e.options.Places(pool)
}

// beatEvery is how often an attempt's heart beats.
func (e *Engine) beatEvery() time.Duration { return e.options.Heartbeat / 5 }

// workflowID is the name of an operation on the cluster: several Karbors may share it.
func (e *Engine) workflowID(operation string) string { return e.options.Queue + "/" + operation }

// taskTime is how long a worker that is to say what comes next may be silent until another
// one is asked.
const taskTime = 5 * time.Second

// mostInput is the most bytes that an operation may begin with; the cluster takes 2 MiB.
const mostInput = 1_900_000

// Start implements workflow.Engine.
func (e *Engine) Start(ctx context.Context, id string, g workflow.Graph) error {
	steps, err := workflow.Read(ctx, id, g, e.options.Actions)
	if err != nil {
		return err
	}
	return e.start(ctx, id, steps, nil)
}

// start hands an operation over in a state; nil is that of a new one.
func (e *Engine) start(ctx context.Context, id string, steps []workflow.Step, from *state) error {
	in := input{Operation: id, Heartbeat: e.options.Heartbeat, Events: e.options.Events, Places: map[string]int{}}
	for i := range steps {
		in.Places[steps[i].Limit] = e.places(steps[i].Limit)
	}
	var err error
	if in.Steps, err = e.codec.encode(steps); err != nil {
		return err
	}
	if from != nil {
		if in.State, err = e.codec.encode(from); err != nil {
			return err
		}
	}
	if len(in.Steps)+len(in.State) > mostInput {
		return karbor.Errorf(karbor.Invalid, "the graph of operation %s has %d bytes; the engine's cluster takes %d", id, len(in.Steps), mostInput)
	}
	_, err = e.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: e.workflowID(id), TaskQueue: e.options.Queue,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		WorkflowTaskTimeout:                      taskTime, EnableEagerStart: true,
	}, operationName, in)
	if known, _ := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); known != nil {
		return nil
	}
	return explain(err, "starting the operation %s", id)
}

// Cancel implements workflow.Engine. Without any worker the request is kept.
func (e *Engine) Cancel(ctx context.Context, id, reason string) error {
	reason = cmp.Or(reason, "cancelled")
	err := e.client.SignalWorkflow(ctx, e.workflowID(id), "", signalCancel, reason)
	if missing, _ := errors.AsType[*serviceerror.NotFound](err); missing != nil {
		if _, err := e.describe(ctx, id); err != nil {
			return explain(err, "cancelling the operation %s", id)
		}
		return karbor.Errorf(karbor.Conflict, "the operation %s is over", id)
	}
	if err != nil {
		return explain(err, "cancelling the operation %s", id)
	}
	// A worker says whether it came in time.
	if now, err := e.query(ctx, id); err == nil && now.Closing && !now.Cancelled {
		return karbor.Errorf(karbor.Conflict, "the operation %s is over but for its end", id)
	}
	return nil
}

// Forget implements workflow.Engine.
func (e *Engine) Forget(ctx context.Context, id string) error {
	found, err := e.describe(ctx, id)
	switch {
	case karbor.KindOf(err) == karbor.NotFound && err != nil:
		return nil
	case err != nil:
		return err
	case found.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return karbor.Errorf(karbor.Conflict, "the operation %s is not over", id)
	}
	_, err = e.client.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: e.options.Cluster.Namespace,
		WorkflowExecution: &common.WorkflowExecution{
			WorkflowId: e.workflowID(id), RunId: found.GetWorkflowExecutionInfo().GetExecution().GetRunId(),
		},
	})
	if missing, _ := errors.AsType[*serviceerror.NotFound](err); missing == nil && err != nil {
		return explain(err, "forgetting the operation %s", id)
	}
	// The cluster forgets it by and by: one that has just ended goes only when the cluster has noted
	// how far its queues are, which it does every 30 s. Nobody is kept waiting for that.
	if _, err = e.describe(ctx, id); err == nil {
		return karbor.Transientf("the engine's cluster has not forgotten the operation %s yet", id)
	} else if karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	return nil
}

// explain gives an error of the cluster as one of ours. What was asked for may be asked
// for again if the cluster is away.
func explain(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if ours, ok := errors.AsType[*karbor.Error](err); ok {
		return fmt.Errorf("%s: %w", what, ours)
	}
	if missing, _ := errors.AsType[*serviceerror.NotFound](err); missing != nil {
		return &karbor.Error{Kind: karbor.NotFound, Message: what + ": the engine does not know it", Cause: err}
	}
	if wrong, _ := errors.AsType[*serviceerror.InvalidArgument](err); wrong != nil {
		return &karbor.Error{Kind: karbor.Invalid, Message: what + ": the engine's cluster refuses it", Cause: err}
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &karbor.Error{Kind: karbor.Unavailable, Transient: true, Message: what + ": the engine's cluster does not answer", Cause: err}
}
