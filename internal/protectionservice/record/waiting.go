package record

import (
	"context"
	"log/slog"

	"github.com/karbor/karbor/internal/store"
)

// Waiting gives the function that records what a hook waits for, as the resource's reason;
// "" when it goes on.
func (r Record) Waiting(ctx context.Context, log *slog.Logger) func(string) {
	return func(sentence string) {
		err := r.Update(ctx, func(row *store.ResourceRecord) { row.Reason = sentence })
		if err != nil {
			log.WarnContext(ctx, "what a resource waits for is not recorded", "operation", r.operation,
				"resource", r.key, "sentence", sentence, "error", err)
		}
	}
}
