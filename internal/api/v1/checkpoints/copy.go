package checkpoints

import (
	"cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// copyView is what a checkpoint has from api.ControlVersion on that tells copies from others.
type copyView struct {
	CopyOf *string `json:"copy_of,omitempty" doc:"From 1.4: the checkpoint that it was copied from; missing for one that is no copy."`
	Bank   *string `json:"bank,omitempty" doc:"From 1.4: where it lies: main, or the name of a copy target of the provider."`
	Status *string `json:"copy_status,omitempty" doc:"From 1.4, of a copy: wait_copying, copying, finished or error." enum:"wait_copying|copying|finished|error"`
}

func copyViewOf(c karbor.Checkpoint, version api.Version) copyView {
	if version < api.ControlVersion {
		return copyView{}
	}
	bank := cmp.Or(c.Bank, store.MainBank)
	v := copyView{Bank: &bank}
	if c.CopyOf == "" {
		return v
	}
	status := string(karbor.CopyFinished)
	switch c.Status {
	case karbor.CheckpointWaitCopying, karbor.CheckpointCopying, karbor.CheckpointError:
		status = string(c.Status)
	default: // it was made
	}
	v.CopyOf, v.Status = &c.CopyOf, &status
	return v
}

// copyFilter takes over the filters of a list that came with api.ControlVersion.
func copyFilter(r *api.Request, f *store.CheckpointFilter) {
	if r.Version >= api.ControlVersion {
		f.Bank, f.CopyOf = r.Filter("bank"), r.Filter("copy_of")
	}
}
