package file

import (
	"context"

	"github.com/karbor/karbor/bank"
)

// durability is what a file system promises of changes in its folders.
type durability struct {
	// names says that the sync of a file that was made by open makes its name durable too.
	names bool
	// ordered says that changes of folders reach the disk in their order, whichever
	// folders they are in, and that a sync of a folder that was changed takes all changes
	// to the disk that were made before it.
	ordered bool
}

// syncs reports whether a change of a folder has to be made durable before its writer
// goes on: not so if another write follows that does it, and a crash can't keep that one
// and lose this one.
func (t *tree) syncs(ctx context.Context) bool { return !t.durable.ordered || !bank.IsFollowed(ctx) }
