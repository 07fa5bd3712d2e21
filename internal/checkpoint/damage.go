package checkpoint

import (
	"errors"
	"fmt"

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

// damaged makes a DamageError of an error of decoding; others stay as they are.
func damaged(project, id string, err error) error {
	if _, bad := errors.AsType[*bank.DecodeError](err); bad {
		return &DamageError{project, id, err}
	}
	return err
}

// skip hands a damaged checkpoint to who is told of them, and gives back any other
// error.
func skip(err error, tell func(*DamageError)) error {
	var damage *DamageError
	if !errors.As(err, &damage) {
		return err
	}
	if tell != nil {
		tell(damage)
	}
	return nil
}
