package checkpoint

import (
	"context"
	"fmt"
	"strings"
)

// Keys gives the keys of the documents that are there, in their order.
func (d *Documents) Keys(ctx context.Context) ([]string, error) {
	var keys []string
	err := eachKey(ctx, d.papers.bank, d.prefix, func(key string) error {
		keys = append(keys, strings.TrimPrefix(key, d.prefix))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the documents: %w", err)
	}
	return keys, nil
}
