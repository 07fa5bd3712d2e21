package layout09

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Remove deletes a checkpoint: first its index, so that nobody takes what is left for a
// checkpoint, then its entries in the indices, then the rest. It may be repeated after
// any failure, as long as there is something left; then it is karbor.NotFound. What
// plug-ins left in the cloud stays there. Nobody else may write to the bank meanwhile:
// Python Karbor's lease is not heeded.
func (c *Checkpoints) Remove(ctx context.Context, id string) error {
	if !karbor.IsUUID(id) {
		return notFound(id)
	}
	infos, err := c.source.List(ctx, root+id+"/", "", 1)
	if err != nil {
		return fmt.Errorf("looking for checkpoint %s: %w", id, err)
	}
	entries, err := c.keys(ctx, "indices/", func(key string) bool { return strings.HasSuffix(key, "@"+id) })
	if err != nil {
		return err
	}
	if len(infos) == 0 && len(entries) == 0 {
		return notFound(id)
	}
	for _, key := range append([]string{indexKey(id)}, entries...) {
		if err := c.source.Delete(ctx, key); err != nil {
			return fmt.Errorf("removing checkpoint %s: %w", id, err)
		}
	}
	for marker := ""; ; {
		infos, err := c.source.List(ctx, root+id+"/", marker, bank.MaxList)
		if err != nil {
			return fmt.Errorf("removing checkpoint %s: %w", id, err)
		}
		for _, i := range infos {
			marker = i.Key
			if err := c.source.Delete(ctx, i.Key); err != nil {
				return fmt.Errorf("removing checkpoint %s: %w", id, err)
			}
		}
		if len(infos) < bank.MaxList {
			return nil
		}
	}
}

// keys gives the keys under a prefix that are wanted.
func (c *Checkpoints) keys(ctx context.Context, prefix string, wanted func(key string) bool) ([]string, error) {
	var out []string
	for marker := ""; ; {
		infos, err := c.source.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", prefix, err)
		}
		for _, i := range infos {
			marker = i.Key
			if wanted(i.Key) {
				out = append(out, i.Key)
			}
		}
		if len(infos) < bank.MaxList {
			return out, nil
		}
	}
}
