package temporal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	common "go.temporal.io/api/common/v1"

	"github.com/karbor/karbor/internal/workflow"
)

// queryTime is how long a worker may take to say how far an operation is.
const queryTime = 3 * time.Second

// mostGraphs is the most graphs that are kept for descriptions.
const mostGraphs = 64

// Describe implements workflow.Engine. While no worker runs, the steps are told as they
// were when the operation's present run began.
func (e *Engine) Describe(ctx context.Context, id string) (workflow.Description, error) {
	found, err := e.describe(ctx, id)
	if err != nil {
		return workflow.Description{}, err
	}
	info := found.GetWorkflowExecutionInfo()
	in, err := e.input(ctx, info.GetExecution())
	if err != nil {
		return workflow.Description{}, explain(err, "describing the operation %s", id)
	}
	var now *state
	switch info.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		// Without an answer the input says how far it was.
		now, _ = e.query(ctx, id)
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		now, err = e.result(ctx, info.GetExecution())
	default:
		// Somebody ended it on the cluster.
		now = &state{State: workflow.Failed, StartedAt: info.GetStartTime().AsTime(), EndedAt: info.GetCloseTime().AsTime()}
	}
	if err != nil {
		return workflow.Description{}, explain(err, "describing the operation %s", id)
	}
	if now != nil {
		if in.State, err = e.codec.encode(now); err != nil {
			return workflow.Description{}, err
		}
	}
	m, err := e.codec.machine(in)
	if err != nil {
		return workflow.Description{}, fmt.Errorf("describing the operation %s: %w", id, err)
	}
	if now != nil {
		// The machine is made to go on; what is told is how it is.
		for _, s := range now.Steps {
			if s.Position < len(m.steps) {
				m.steps[s.Position].stepState = s
			}
		}
	}
	d := m.describe(id)
	if now != nil {
		m.queued(&d)
	}
	for _, p := range found.GetPendingActivities() {
		m.pending(&d, p)
	}
	return d, nil
}

// queued adds which steps are not even handed to the cluster, as the operation's others have all places.
func (m *machine) queued(d *workflow.Description) {
	for _, i := range m.ready {
		if s := &d.Steps[i]; s.State == workflow.Pending && s.Waiting.IsZero() {
			s.Queued, s.Before = true, unknown
		}
	}
}

// unknown is for how many steps are before one. Nobody knows: each worker has places and a line of its own, and
// the cluster hands the steps to any of them, those that were turned away once more.
const unknown = -1

// pending adds what the cluster knows of an attempt that goes on, or is to.
func (m *machine) pending(d *workflow.Description, p *workflowpb.PendingActivityInfo) {
	position, _, _ := strings.Cut(p.GetActivityId(), "/")
	i, err := strconv.Atoi(position)
	if err != nil || i < 0 || i >= len(d.Steps) || d.Steps[i].State != workflow.Running {
		return
	}
	var b beat
	if p.GetHeartbeatDetails() != nil {
		_ = converter.GetDefaultDataConverter().FromPayloads(p.GetHeartbeatDetails(), &b)
	}
	s := &d.Steps[i]
	if !b.Begun {
		s.State, s.Attempts, s.Queued, s.Before = workflow.Pending, max(0, s.Attempts-1), true, unknown
		return
	}
	s.Done, s.Total = b.Done, b.Total
}

// describe asks the cluster for an operation; karbor.NotFound if it has none.
func (e *Engine) describe(ctx context.Context, id string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	found, err := e.client.DescribeWorkflowExecution(ctx, e.workflowID(id), "")
	return found, explain(err, "looking for the operation %s", id)
}

// query asks a worker for the state of an operation.
func (e *Engine) query(ctx context.Context, id string) (*state, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	value, err := e.client.QueryWorkflow(ctx, e.workflowID(id), "", queryState)
	if err != nil {
		return nil, explain(err, "asking for the state of operation %s", id)
	}
	var payload []byte
	if err := value.Get(&payload); err != nil {
		return nil, err
	}
	now := &state{}
	return now, e.codec.decode(payload, now)
}

// failure gives the failure of an operation that is closing.
func (e *Engine) failure(ctx context.Context, id string) (*workflow.Failure, error) {
	found, err := e.describe(ctx, id)
	if err != nil {
		return nil, err
	}
	in, err := e.input(ctx, found.GetWorkflowExecutionInfo().GetExecution())
	if err != nil {
		return nil, explain(err, "reading the graph of operation %s", id)
	}
	now, err := e.query(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.State, err = e.codec.encode(now); err != nil {
		return nil, err
	}
	m, err := e.codec.machine(in)
	if err != nil {
		return nil, err
	}
	return m.failure(), nil
}

// input gives what a run began with.
func (e *Engine) input(ctx context.Context, run *common.WorkflowExecution) (input, error) {
	e.mu.Lock()
	in, ok := e.graphs[run.GetRunId()]
	e.mu.Unlock()
	if ok {
		return in, nil
	}
	page, err := e.client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: e.options.Cluster.Namespace, Execution: run, MaximumPageSize: 1,
	})
	if err != nil {
		return in, err
	}
	events := page.GetHistory().GetEvents()
	if len(events) == 0 {
		return in, errors.New("the history is empty")
	}
	payloads := events[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := converter.GetDefaultDataConverter().FromPayloads(payloads, &in); err != nil {
		return in, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.graphs) >= mostGraphs {
		clear(e.graphs)
	}
	e.graphs[run.GetRunId()] = in
	return in, nil
}

// result gives the final state of a run that is over.
func (e *Engine) result(ctx context.Context, run *common.WorkflowExecution) (*state, error) {
	var payload []byte
	if err := e.client.GetWorkflow(ctx, run.GetWorkflowId(), run.GetRunId()).Get(ctx, &payload); err != nil {
		return nil, err
	}
	last := &state{}
	return last, e.codec.decode(payload, last)
}
