package outcome

import (
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
)

// Of names the resource in an error of its hook. The kind and whether it can
// pass stay.
func Of(node *karbor.Node, err error) error {
	what := fmt.Sprintf("%s %s", node.Type.Word(), node.ID)
	if node.Name != "" {
		what = fmt.Sprintf("%s %q (%s)", node.Type.Word(), node.Name, node.ID)
	}
	return &karbor.Error{
		Kind: karbor.KindOf(err), Message: what + ": " + karbor.Sentence(err), Transient: karbor.IsTransient(err), Cause: err,
	}
}

// Plain makes a sentence for the tenant of damage that is told to operators only.
func Plain(err error) error {
	if _, damaged := errors.AsType[*checkpoint.DamageError](err); damaged {
		return &karbor.Error{Kind: karbor.Internal, Message: "a document that is kept of it in the bank is damaged", Cause: err}
	}
	return err
}
