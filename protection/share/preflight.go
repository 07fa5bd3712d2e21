package share

import (
	"context"

	"github.com/karbor/karbor/protection"
)

// preflight is the Preflight hook of restore. What the new share will not have of the original is known when Manila
// has made it.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	if _, err := connect(ctx, call); err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f := protection.NewForecast(call)
	return f, f.Look(ctx, "Verify the checkpoint, and restore another one.", func(ctx context.Context) error { return sound(ctx, call, &doc) })
}
