package protection

import "github.com/karbor/karbor"

// InPlace is the operation for which a plug-in gives the hooks of a restore that overwrites
// the original instead of making a new resource; a plug-in that has none for a type can't
// do that. All PrepareFinish hooks of the operation are over before the first Main begins,
// and all Mains before the first Complete: so what is overwritten can be brought back by
// Undo until all are. Preflight tells why the original at hand can't be overwritten. The new
// id is the original's.
const InPlace karbor.OperationType = "restore_in_place"

// NotInPlace is a Plugin without hooks of InPlace for some types that can say more of it than that
// it is not possible: why, and what there is instead.
type NotInPlace interface {
	// NotInPlace gives, for such a type, a sentence for the tenant; "" for one of which there is no
	// more to say. It begins in lower case and ends without a full stop.
	NotInPlace(t karbor.ResourceType) string
}
