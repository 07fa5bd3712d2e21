package checkpoint

import (
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// DamageError says that a document of a checkpoint is there and can't be understood.
// No retry cures it.
type DamageError struct {
	ProjectID, ID string
	// Err says what is wrong.
	Err error
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("checkpoint %s is damaged in its bank: %v", e.ID, e.Err)
}

// Unwrap gives what is wrong.
func (e *DamageError) Unwrap() error { return e.Err }

// ListError is what is wrong with a checkpoint's list of contents, within a *DamageError. All that
// the checkpoint has can be read without the list.
type ListError struct {
	// Err says what is wrong.
	Err error
}

// Error implements error.
func (e *ListError) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e *ListError) Unwrap() error { return e.Err }

// ofList says of damage that it is that of a list of contents. Other errors stay as they are.
func ofList(err error) error {
	if damage, is := errors.AsType[*DamageError](err); is {
		return &DamageError{damage.ProjectID, damage.ID, &ListError{damage.Err}}
	}
	return err
}

// ClosedError says that a document of a checkpoint is sealed, and that the key which
// opens it is not here. What lies in the clear is known all the same. Its kind is
// karbor.Unavailable, not transient: somebody has to bring the key.
type ClosedError struct {
	ProjectID, ID string
	// Err says which key is missing.
	Err error
}

// Error implements error.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("checkpoint %s can't be opened: %v", e.ID, e.Err)
}

// Unwrap gives which key is missing.
func (e *ClosedError) Unwrap() error {
	return &karbor.Error{Kind: karbor.Unavailable, Message: e.Error(), Cause: e.Err}
}

// named puts the checkpoint's name to an error of one of its documents: of decoding,
// which makes a DamageError, or of a missing key. Others stay as they are.
func named(project, id string, err error) error {
	if _, bad := errors.AsType[*bank.DecodeError](err); bad {
		return &DamageError{project, id, err}
	}
	if closed, missing := errors.AsType[*ClosedError](err); missing {
		return &ClosedError{project, id, closed.Err}
	}
	return err
}

// Unread is told of a checkpoint of which only what lies in the clear is known: ids,
// status, times and size. err says why: a *DamageError or a *ClosedError.
type Unread func(cp karbor.Checkpoint, err error)

// isUnread reports whether an error keeps one checkpoint from being read, and no other.
func isUnread(err error) bool {
	_, damage := errors.AsType[*DamageError](err)
	_, closed := errors.AsType[*ClosedError](err)
	return damage || closed
}

// skip tells of a checkpoint that can't be read, and gives back any other error.
func skip(cp karbor.Checkpoint, err error, tell Unread) error {
	if !isUnread(err) {
		return err
	}
	if tell != nil {
		tell(cp, err)
	}
	return nil
}
