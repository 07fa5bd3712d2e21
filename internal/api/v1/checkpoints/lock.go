package checkpoints

import (
	"context"

	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// LockStore knows the locks of banks; store.Store is one.
type LockStore interface {
	Locks(ctx context.Context, providerID string, ids []string) (map[string]store.BankLock, error)
}

// lockView is how the bank has locked what a checkpoint needs, on the wire.
type lockView struct {
	Until   *string `json:"until" format:"date-time" doc:"By the bank's clock; it may be over. null if not all of it was ever locked."`
	Objects int     `json:"objects" doc:"How many objects of the bank are locked."`
	Reason  *string `json:"reason" doc:"Why the last try to lock them, or to lengthen the lock, has failed."`
	TriedAt *string `json:"tried_at" format:"date-time"`
}

// withLock adds to a show, from api.ProofVersion on, how the bank has locked the checkpoint.
func (d Deps) withLock(ctx context.Context, version api.Version, provider string, v *view) error {
	if version < api.ProofVersion {
		return nil
	}
	found, err := d.Store.Locks(ctx, provider, []string{v.ID})
	if err != nil {
		return err
	}
	if l, ok := found[v.ID]; ok {
		v.BankLock = &lockView{Until: api.Time(l.Until), Objects: l.Objects, Reason: api.Text(l.Reason), TriedAt: api.Time(l.TriedAt)}
	}
	return nil
}
