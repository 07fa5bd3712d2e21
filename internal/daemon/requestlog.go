package daemon

import (
	"context"
	"log/slog"

	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/openstack"
)

// requestLog is a log handler that adds the id of the request which a line belongs
// to, for what is logged below the API.
type requestLog struct{ slog.Handler }

const requestIDAttr = "request_id"

// Handle implements slog.Handler.
func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	id := api.RequestID(ctx)
	if id == "" {
		id = openstack.RequestID(ctx) // of the request that asked for an operation
	}
	if id == "" {
		return h.Handler.Handle(ctx, r)
	}
	said := false
	r.Attrs(func(a slog.Attr) bool {
		said = a.Key == requestIDAttr
		return !said
	})
	if !said {
		r = r.Clone()
		r.AddAttrs(slog.String(requestIDAttr, id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h requestLog) WithGroup(name string) slog.Handler { return requestLog{h.Handler.WithGroup(name)} }
