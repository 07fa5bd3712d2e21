// Package operation waits for the operations that commands start and look at, shows how
// far they are, and says how they ended.
package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/karbor/karbor/client"
	"github.com/karbor/karbor/internal/cli/lookup"
	"github.com/karbor/karbor/internal/cli/session"
)

// Kind is a kind of operations, of which the service keeps records of the type T.
type Kind[T any] struct {
	// Noun is what one is called, such as restore.
	Noun string
	// ID gives the id of a record.
	ID func(T) string
	// Look gets the record with an id. last is what it gave before, at first what the
	// caller had.
	Look func(ctx context.Context, c *client.Client, id string, last T) (T, error)
	// Standing tells how far a record says that it is.
	Standing func(T) Standing
	// Shown gives what of a record is printed; nil for all.
	Shown func(T) T
	// Fault gives the error of a record that says that its operation ended badly.
	Fault func(T) error
}

// Await waits for the end of the operation that a record is of, and gives its last record.
func (k *Kind[T]) Await(ctx context.Context, s *session.Session, c *client.Client, w WaitFlags, record T) (T, error) {
	id := k.ID(record)
	wait := waiter{Session: s, client: c, flags: w, what: "the " + k.Noun + " " + id, id: id,
		look: func(ctx context.Context) (Standing, error) {
			found, err := k.Look(ctx, c, id, record)
			if err != nil {
				return Standing{}, err
			}
			record = found
			return k.Standing(record), nil
		}}
	err := wait.await(ctx)
	return record, err
}

// Started ends a command that has started an operation: it waits for the end if that is
// wanted, and prints the record. One that was waited for and ended badly makes an error.
func (k *Kind[T]) Started(ctx context.Context, s *session.Session, c *client.Client, w WaitFlags, record T) error {
	if w.Wait {
		s.Say("%s %s", k.Noun, k.ID(record))
		w.Own = true
	}
	return k.Found(ctx, s, c, w, record)
}

// Found is Started for an operation that was there before the command.
func (k *Kind[T]) Found(ctx context.Context, s *session.Session, c *client.Client, w WaitFlags, record T) error {
	if w.Wait {
		var err error
		if record, err = k.Await(ctx, s, c, w, record); err != nil {
			return err
		}
	}
	return k.Finish(s, w, record)
}

// Finish prints a record. One that was waited for and says that its operation ended badly
// makes an error.
func (k *Kind[T]) Finish(s *session.Session, w WaitFlags, record T) error {
	shown := record
	if k.Shown != nil {
		shown = k.Shown(record)
	}
	if err := s.Printer().Show(shown); err != nil {
		return err
	}
	if w.Wait {
		return k.Fault(record)
	}
	return nil
}

// Show makes the command that shows an operation of the kind by its id.
func (k *Kind[T]) Show(s *session.Session) *cobra.Command {
	var w WaitFlags
	cmd := s.Command("show "+strings.ToUpper(k.Noun), "Show a "+k.Noun, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := lookup.MustBeID(k.Noun, args[0]); err != nil {
			return err
		}
		c, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		var none T
		found, err := k.Look(ctx, c, args[0], none)
		if err != nil {
			return err
		}
		return k.Found(ctx, s, c, w, found)
	})
	w.Add(cmd.Flags())
	return cmd
}

// Failure makes the error of an operation that ended badly. look is the command that
// tells more.
func Failure(what, status string, reasons map[string]string, look string) error {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(reasons)) {
		if reasons[key] != "" {
			parts = append(parts, key+": "+reasons[key])
		}
	}
	text := fmt.Sprintf("%s ended in %s", what, status)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	return errors.New(text + "; see: " + look)
}
