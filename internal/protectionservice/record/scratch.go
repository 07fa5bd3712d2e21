package record

import (
	"context"

	"github.com/karbor/karbor/protection"
)

// Scratch gives the hook's protection.Scratch.
func (r Record) Scratch() protection.Scratch { return scratch{r} }

// scratch is protection.Scratch in the store.
type scratch struct{ Record }

func (s scratch) Load(ctx context.Context, v any) error {
	_, err := s.store.Scratch(ctx, s.operation, s.key, v)
	return err
}

func (s scratch) Save(ctx context.Context, v any) error {
	return s.store.SaveScratch(ctx, s.operation, s.key, v)
}
