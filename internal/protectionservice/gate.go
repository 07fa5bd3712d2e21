package protectionservice

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Deletion is the member of an operation log's extra information that says why a
// checkpoint was deleted where that was not simply asked for: an object with by, user_id
// and reason, and scheduled_operation_id after a run of one.
const Deletion = "deletion"

// The values of by in Deletion.
const (
	ByForce     = "force"
	ByRetention = "retention"
	ByExpiry    = "expiry"
)

// deletion asks to delete a checkpoint.
type deletion struct {
	providerID, id string
	// by is one of the values of by, or "" where a tenant simply asks; reason goes
	// with it.
	by, reason string
	// scheduledOperationID is the scheduled operation after whose run it is, or "".
	scheduledOperationID string
}

// extra is what the operation log tells of a deletion.
func (d deletion) extra(c Caller) (map[string]json.RawMessage, error) {
	if d.by == "" {
		return nil, nil
	}
	why := map[string]string{"by": d.by, "user_id": c.Identity.UserID, "reason": d.reason}
	if d.scheduledOperationID != "" {
		why["scheduled_operation_id"] = d.scheduledOperationID
	}
	text, err := json.Marshal(why)
	if err != nil {
		return nil, fmt.Errorf("writing why checkpoint %s is deleted: %w", d.id, err)
	}
	return map[string]json.RawMessage{Deletion: text}, nil
}

// ForceDeleteCheckpoint is DeleteCheckpoint of a checkpoint that is the newest one in
// which something was found good by a verification, too. The reason goes into the
// operation log. It lets neither a hold nor what works on the checkpoint go by. Whether
// the caller may is asked before.
func (s *Service) ForceDeleteCheckpoint(ctx context.Context, c Caller, providerID, id, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return karbor.Errorf(karbor.Invalid, "a checkpoint is deleted by force for a reason only; say it")
	}
	return s.delete(ctx, c, deletion{providerID: providerID, id: id, by: ByForce, reason: reason})
}

// gate gives what every deletion of a checkpoint must pass, in the transaction that
// accepts it: nothing holds the checkpoint, and it is not the newest one in which
// something was found good, unless that is forced. That nothing works on it, the
// transaction itself makes sure.
func (s *Service) gate(forced bool) func(store.Standing) error {
	return func(st store.Standing) error {
		if st.Hold.On(s.now()) {
			return karbor.Errorf(karbor.Conflict, "%s; it can be deleted once it is released", heldSentence(st.CheckpointID, st.Hold))
		}
		if len(st.NewestVerifiedOf) == 0 || forced {
			return nil
		}
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is the newest one in which a verification has found %s good; "+
			"verify a newer one first, or have somebody delete it by force who may", st.CheckpointID, listed(st.NewestVerifiedOf))
	}
}

// heldSentence says that, until when and why a checkpoint is held, without a full stop.
func heldSentence(id string, h *karbor.Hold) string {
	until := ""
	if !h.Until.IsZero() {
		until = " until " + h.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return fmt.Sprintf("checkpoint %s is held%s: %s", id, until, h.Reason)
}

// listed names resources that are given as TYPE#id: the first ones, and how many more.
func listed(resources []string) string {
	const most = 3
	var names []string
	for i, r := range resources {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(resources)-most))
			break
		}
		names = append(names, resourceName(r))
	}
	return strings.Join(names, ", ")
}

// resourceName names a resource that is given as TYPE#id.
func resourceName(key string) string {
	typ, id, _ := strings.Cut(key, "#")
	id, _, _ = strings.Cut(id, "@")
	return "the " + karbor.ResourceType(typ).Word() + " " + id
}
