// Package operations serves the operations themselves: how far one is, as it is and as
// it changes, and the cancel.
package operations

import (
	"context"
	_ "embed"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/progress"
	"github.com/karbor/karbor/internal/protectionservice"
)

// Service knows operations; protectionservice.Service is one.
type Service interface {
	Operation(ctx context.Context, projectID, id string) (protectionservice.Operation, error)
	CancelOperation(ctx context.Context, c protectionservice.Caller, projectID, id, why string) error
}

// Deps are what the room needs.
type Deps struct {
	Service Service
	// Every is how often an operation is looked at for a stream of its events; 0 stands
	// for a second.
	Every time.Duration
}

//go:embed action.json
var actionSchema []byte

// idNote says what the id of a path may be.
const idNote = "The id is that of the operation (which its log and its verification have too), of its restore, " +
	"or of the checkpoint that it makes or deletes."

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/operations/{id}"
	return []api.Route{
		{
			Method: "GET", Pattern: one, Rule: "operation:get", Since: api.ControlVersion, Handle: d.show,
			Summary: "Show how far an operation is", Description: idNote, Answer: answer{},
		},
		{
			Method: "GET", Pattern: one + "/events", Rule: "operation:get", Since: api.ControlVersion, Handle: d.events, Stream: true,
			Summary: "Follow an operation",
			Description: "Server-sent events: `progress` whenever something has changed, `end` when the operation is over, and then the stream ends. " +
				"It ends early, with `close` and a reason, when the token expires or the service stops. There are a bounded number of streams: beyond, 429. " + idNote,
			Answer: answer{},
		},
		{
			Method: "POST", Pattern: one + "/action", Rule: "operation:cancel", Since: api.ControlVersion, Body: actionSchema, Handle: d.act,
			Summary: "Cancel an operation",
			Description: "The answer comes as soon as the cancel is durable; the operation stops, removes what it made, and ends in error. " +
				"A repeat changes nothing; 409 for one that is over, or that is ending by itself. " + idNote,
			Answer: answer{},
		},
	}
}

// view is an operation on the wire. What it does not have is null.
type view struct {
	ID            string                           `json:"id"`
	ProjectID     string                           `json:"project_id"`
	OperationType karbor.OperationType             `json:"operation_type"`
	ProviderID    string                           `json:"provider_id"`
	CheckpointID  *string                          `json:"checkpoint_id"`
	RestoreID     *string                          `json:"restore_id"`
	PlanID        *string                          `json:"plan_id"`
	State         protectionservice.OperationState `json:"state" enum:"waiting|running|stopping|over" doc:"stopping: it has failed or was cancelled, and removes what it made."`
	Status        karbor.LogStatus                 `json:"status" doc:"As its log has it."`
	ErrorInfo     *string                          `json:"error_info"`
	Cancelled     *string                          `json:"cancelled" doc:"Who cancelled it, and why."`
	StartedAt     *string                          `json:"started_at" format:"date-time"`
	EndedAt       *string                          `json:"ended_at" format:"date-time"`
	BytesDone     int64                            `json:"bytes_done" doc:"Of all resources together, as are the next ones."`
	BytesTotal    int64                            `json:"bytes_total" doc:"Of those whose bytes are known."`
	Speed         *int64                           `json:"bytes_per_second" doc:"In the mean of the last seconds; null where nothing moves."`
	Left          *int64                           `json:"seconds_left" doc:"An estimate of the longest of the resources that move; null where there is none."`
	Progress      []progress.View                  `json:"progress" doc:"How far it is, by resource."`
}

type answer struct {
	Operation view `json:"operation"`
}

func viewOf(o protectionservice.Operation) view {
	v := view{
		ID: o.ID, ProjectID: o.ProjectID, OperationType: o.Type, ProviderID: o.ProviderID, CheckpointID: api.Text(o.CheckpointID),
		RestoreID: api.Text(o.RestoreID), PlanID: api.Text(o.PlanID), State: o.State, Status: o.Status, ErrorInfo: api.Text(o.ErrorInfo),
		Cancelled: api.Text(o.Cancelled), StartedAt: api.Time(o.StartedAt), EndedAt: api.Time(o.EndedAt),
		Progress: make([]progress.View, len(o.Progress)),
	}
	var speed int64
	var left time.Duration
	for i, p := range o.Progress {
		v.Progress[i] = progress.Of(p, api.ControlVersion)
		v.BytesDone += p.Done
		v.BytesTotal += p.Total
		speed += p.Speed
		left = max(left, p.Left)
	}
	v.Speed, v.Left = progress.Known(speed), progress.Known(int64(left/time.Second))
	return v
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	o, err := d.Service.Operation(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	return answer{viewOf(o)}, nil
}

func (d Deps) act(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Cancel struct {
			Reason string `json:"reason"`
		} `json:"cancel"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	caller := protectionservice.Caller{Identity: r.Identity}
	if err := d.Service.CancelOperation(ctx, caller, r.ItemProject(), id, body.Cancel.Reason); err != nil {
		return nil, err
	}
	o, err := d.Service.Operation(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	return answer{viewOf(o)}, nil
}
