package preflight

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/internal/store"
)

// unrestored is protection.NewResources of a restore that has not begun: only what
// stays as it is has an id.
type unrestored struct{ op store.Operation }

func (u unrestored) ID(key karbor.NodeKey) string {
	return restoration.Existing(u.op.Graph, u.op.Choices, key)
}

func (unrestored) Part(string) string { return "" }

func (unrestored) Set(context.Context, string) error { return errLooking }

func (unrestored) SetPart(context.Context, string, string) error { return errLooking }

// noScratch is an empty protection.Scratch.
type noScratch struct{}

func (noScratch) Load(context.Context, any) error { return nil }
func (noScratch) Save(context.Context, any) error { return errLooking }

// errLooking is the error of a Preflight hook that does more than look.
var errLooking = karbor.Errorf(karbor.Internal, "a look ahead at a restore records nothing")
