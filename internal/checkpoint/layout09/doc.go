// Package layout09 reads the banks of Python Karbor: layout 0.9, which
// docs/format/layout09.md describes. It lists and shows their checkpoints, gives their
// documents and bulk data in the form that today's plug-ins read, verifies them, imports
// them into layout 1, and deletes them on request. It never writes to such a bank.
//
// What it reads may come from an enemy: it is an error that is a *DamageError, or what
// the page allows; it never panics.
package layout09

import (
	"context"
	"fmt"
	"io"

	"github.com/karbor/karbor/bank"
)

// Source is what a bank of layout 0.9 is read from: a Folder, or a bank.Bank that was
// opened for such a bank, with the keys that the page has, without a slash in front.
type Source interface {
	// Get, List and Delete are those of bank.Bank.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error)
	Delete(ctx context.Context, key string) error
}

// DamageError says that something of a checkpoint is there and can't be understood, or
// is missing.
type DamageError struct {
	// ID is the checkpoint's; Key the object's.
	ID, Key string
	// Err says what is wrong.
	Err error
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("checkpoint %s is damaged in its bank: %s: %v", e.ID, e.Key, e.Err)
}

// Unwrap gives what is wrong.
func (e *DamageError) Unwrap() error { return e.Err }
