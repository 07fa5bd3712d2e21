package protectionservice

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// CancelOperation asks an operation to stop, for the caller: its running hooks are
// stopped, what it made is removed, and it ends in error (a restore in fail) with the
// reason "cancelled by …". When it returns nil the request is durable, and honoured
// whatever process dies. id is as in Operation; projectID is the project that the
// operation must be of, "" for any.
//
// An operation that is over, or that is ending by itself, is karbor.Conflict. A repeat is
// no error, and changes nothing.
func (s *Service) CancelOperation(ctx context.Context, c Caller, projectID, id, why string) error {
	op, err := s.store.FindOperation(ctx, projectID, id)
	if err != nil {
		return err
	}
	reason := "cancelled by " + printable(cmp.Or(c.Identity.UserName, c.Identity.UserID))
	if why = printable(why); why != "" {
		reason += ": " + why
	}
	r := store.Request{OperationID: op.ID, Kind: store.CancelRequest, Reason: reason}
	if err := s.store.AskOperation(ctx, r); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "an operation is to be cancelled", "operation", op.ID, "type", op.Type, "project", op.ProjectID, "reason", reason)
	err = s.dispatcher.Cancel(ctx, r)
	if err != nil && karbor.KindOf(err) != karbor.Conflict {
		// It is kept, and honoured as soon as that is possible.
		s.log.WarnContext(ctx, "an operation can't be cancelled yet; it is tried again", "operation", op.ID, "error", err)
		s.dispatcher.Wake()
		return nil
	}
	return err
}

// maxReason is the most characters of a text that somebody gave as a reason.
const maxReason = 255

// printable makes one short line of a text that somebody gave.
func printable(text string) string {
	clean := strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(clean); len(r) > maxReason {
		return string(r[:maxReason]) + "…"
	}
	return clean
}

// undoPatience is how long an undo takes errors that may pass before its attempt is
// over: it will be tried again, and the operation must come to an end.
const undoPatience = time.Minute

const (
	// cancelUndo bounds one try to remove what a cancelled operation made, and
	// cancelTries their number: what is in transition in the cloud then goes to the
	// ledger, and the operation ends without it.
	cancelUndo  = 20 * time.Second
	cancelTries = 3
	// cancelPatience is how long such a try takes errors that may pass.
	cancelPatience = 5 * time.Second
)

// undoNow runs an Undo hook in an operation that has failed. In one that was cancelled
// somebody waits for its end: what can't be removed soon is left to the ledger. What was
// overwritten in place is no such thing: nobody brings it back later.
func (s *Service) undoNow(ctx context.Context, op store.Operation, hook protection.Hook, call *protection.Call, task *workflow.Task) error {
	if kindOf(op) == protection.InPlace || task.Failure == nil || task.Failure.Cancelled == "" {
		return protection.Undo(openstack.WithPatience(ctx, undoPatience), hook, call)
	}
	limited, cancel := context.WithTimeout(ctx, cancelUndo)
	defer cancel()
	err := protection.Undo(openstack.WithPatience(limited, cancelPatience), hook, call)
	if err == nil || ctx.Err() != nil || !karbor.IsTransient(err) || task.Attempt < cancelTries {
		return err
	}
	return &karbor.Error{
		Kind: karbor.Conflict, Message: karbor.Sentence(err) + "; it is removed as soon as the cloud lets it", Cause: err,
	}
}
