package protection

import "github.com/karbor/karbor"

// Bound is a Plugin that keeps data of some types in another service, bound to it: such a
// resource can't be copied to another bank. A Plugin without this method keeps all that it needs
// for a restore in the bank, and the service copies that without asking it.
type Bound interface {
	// Bound gives, for such a type, a sentence for the tenant that says where the data lies
	// and what to do instead; "" for a type that can be copied.
	Bound(t karbor.ResourceType) string
}
