package deletion

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/store"
)

// Info is the member of an operation log's extra information that says why a
// checkpoint was deleted where that was not simply asked for: an object with by, user_id
// and reason, and scheduled_operation_id after a run of one.
const Info = "deletion"

// The values of by in Info.
const (
	ByForce     = "force"
	ByRetention = "retention"
	ByExpiry    = "expiry"
)

// Request asks to delete a checkpoint.
type Request struct {
	ProviderID, ID string
	// By is one of the values of by, or "" where a tenant simply asks; Reason goes
	// with it.
	By, Reason string
	// ScheduledOperationID is the scheduled operation after whose run it is, or "".
	ScheduledOperationID string
}

// extra is what the operation log tells of a deletion.
func (r Request) extra(c admission.Caller) (map[string]json.RawMessage, error) {
	if r.By == "" {
		return nil, nil
	}
	why := map[string]string{"by": r.By, "user_id": c.Identity.UserID, "reason": r.Reason}
	if r.ScheduledOperationID != "" {
		why["scheduled_operation_id"] = r.ScheduledOperationID
	}
	text, err := json.Marshal(why)
	if err != nil {
		return nil, fmt.Errorf("writing why checkpoint %s is deleted: %w", r.ID, err)
	}
	return map[string]json.RawMessage{Info: text}, nil
}

// ForceDeleteCheckpoint is DeleteCheckpoint of a checkpoint that is the newest one in
// which something was found good by a verification, too. The reason goes into the
// operation log. It lets neither a hold nor what works on the checkpoint go by. Whether
// the caller may is asked before.
func (d *Deleter) ForceDeleteCheckpoint(ctx context.Context, c admission.Caller, providerID, id, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return karbor.Errorf(karbor.Invalid, "a checkpoint is deleted by force for a reason only; say it")
	}
	return d.Delete(ctx, c, Request{ProviderID: providerID, ID: id, By: ByForce, Reason: reason})
}

// gate gives what every deletion of a checkpoint must pass, in the transaction that
// accepts it: nothing holds the checkpoint, and it is not the newest one in which
// something was found good, unless that is forced. That nothing works on it, the
// transaction itself makes sure.
func (d *Deleter) gate(forced bool) func(store.Standing) error {
	return func(st store.Standing) error {
		if st.Hold.On(d.now()) {
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
