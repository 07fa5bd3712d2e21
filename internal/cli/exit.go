package cli

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
)

// Exit codes, part of the command's contract (docs/tenants/README.md).
const (
	exitOK          = 0
	exitFailed      = 1   // the operation failed, or the service refused the request
	exitUsage       = 2   // the command line is wrong, or a name is not unique
	exitLogin       = 3   // no login, or not allowed
	exitNotFound    = 4   // no such thing
	exitUnreachable = 5   // the service or Keystone can't be reached
	exitInterrupted = 130 // the user stopped the command
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode gives the code for an error that ended the command.
func exitCode(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if isUsage(err) {
		return exitUsage
	}
	switch karbor.KindOf(err) {
	case karbor.Unauthorized, karbor.Forbidden:
		return exitLogin
	case karbor.NotFound:
		return exitNotFound
	case karbor.Unavailable:
		return exitUnreachable
	default:
		return exitFailed
	}
}
