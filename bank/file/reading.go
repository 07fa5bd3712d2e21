package file

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// OpenReading opens a bank that is only read: it makes and changes nothing in the folder, which
// may lie on a file system that can't be written. Nothing but a write shows the bank's
// time, so it is now's.
func OpenReading(o Options, now func() time.Time) (bank.Bank, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	tree, err := openTree(o.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the bank's folder: %w", classify(err))
	}
	return reading{&Bank{tree: tree, folders: newFolders(tree)}, now}, nil
}

// reading is a bank that refuses to be changed.
type reading struct {
	*Bank
	now func() time.Time
}

// Put implements bank.Bank.
func (reading) Put(_ context.Context, key string, _ io.Reader, _ int64) error { return refuse(key) }

// Create implements bank.Bank.
func (reading) Create(_ context.Context, key string, _ io.Reader, _ int64) error { return refuse(key) }

// Delete implements bank.Bank.
func (reading) Delete(_ context.Context, key string) error { return refuse(key) }

func refuse(key string) error {
	return karbor.Errorf(karbor.Unavailable, "changing %s: the bank is open for reading only", key)
}

// Now implements bank.Bank.
func (r reading) Now(ctx context.Context) (time.Time, error) { return r.now(), ctx.Err() }

// Traits implements bank.Bank.
func (r reading) Traits() bank.Traits {
	t := r.Bank.Traits()
	t.ReadOnly = true
	return t
}
