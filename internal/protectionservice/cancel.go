package protectionservice

import (
	"cmp"
	"context"
	"strings"
	"unicode"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
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
	op, err := s.store.FindOperationHead(ctx, projectID, id)
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
