package operations

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
)

// beat is after how many looks without a change a stream shows that it lives.
const beat = 15

// events follows one operation. What is followed is fixed at the start: a checkpoint
// may be deleted when it is made, which is another operation.
func (d Deps) events(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	project := r.ItemProject()
	first, err := d.Service.Operation(ctx, project, id)
	if err != nil {
		return nil, err
	}
	return api.Events(func(ctx context.Context, send func(string, any) error) error {
		return d.follow(ctx, project, first, send)
	}), nil
}

func (d Deps) follow(ctx context.Context, project string, o protectionservice.Operation, send func(string, any) error) error {
	ticker := time.NewTicker(cmp.Or(d.Every, time.Second))
	defer ticker.Stop()
	var told view
	for quiet := beat; ; {
		now := viewOf(o)
		switch {
		case o.State == protectionservice.OperationOver:
			return send("end", answer{now})
		case !reflect.DeepEqual(now, told):
			if err := send("progress", answer{now}); err != nil {
				return err
			}
			told, quiet = now, 0
		case quiet >= beat:
			if err := send("", nil); err != nil {
				return err
			}
			quiet = 0
		default:
			quiet++
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		var err error
		if o, err = d.Service.Operation(ctx, project, o.ID); err != nil {
			return err
		}
	}
}
