package bankcommand

import (
	"context"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
	"github.com/karbor/karbor/internal/repository/chunks"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// Exit codes of karbord bank; docs/operators/bank-command.md has the table. The other
// commands end with 0 or 1.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitDamaged     = 3
	exitMissing     = 4
	exitNoKey       = 5
	exitInterrupted = 130
)

// coded is an error with the exit code of its command.
type coded struct {
	error
	code int
}

func (e coded) Unwrap() error { return e.error }

// Code gives the exit code for an error of any command, and the text to print.
func Code(err error) (code int, text string) {
	c, is := errors.AsType[coded](err)
	switch {
	case !is:
		return exitFailed, err.Error()
	case c.code == exitInterrupted:
		return c.code, "interrupted"
	}
	return c.code, err.Error()
}

// usage makes an error one of the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return coded{err, exitUsage}
}

// keyError is a key that can't be had.
type keyError struct{ error }

func (e *keyError) Unwrap() error { return e.error }

// errDamaged ends a command that found damage, and has told of it.
var errDamaged = errors.New("the bank is damaged")

// exitCode gives the code for the error that ended karbord bank.
func exitCode(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if c, is := errors.AsType[coded](err); is {
		return c.code
	}
	_, noKey := errors.AsType[*keyError](err)
	_, locked := errors.AsType[*keyring.LockedError](err)
	_, closed := errors.AsType[*checkpoint.ClosedError](err)
	if noKey || locked || closed {
		return exitNoKey
	}
	_, document := errors.AsType[*checkpoint.DamageError](err)
	_, object := errors.AsType[*format.DamageError](err)
	_, chunk := errors.AsType[*chunks.DamageError](err)
	_, old := errors.AsType[*layout09.DamageError](err)
	switch {
	case document || object || chunk || old || errors.Is(err, errDamaged):
		return exitDamaged
	case karbor.KindOf(err) == karbor.NotFound:
		return exitMissing
	}
	return exitFailed
}
