package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// Exit codes, part of the command's contract (docs/tenants/README.md).
const (
	exitOK          = 0
	exitFailed      = 1   // the operation failed, or the service refused the request
	exitUsage       = 2   // the command line is wrong, or a name is not unique
	exitLogin       = 3   // no login, or not allowed
	exitNotFound    = 4   // no such thing
	exitUnreachable = 5   // the service or Keystone can't be reached
	exitFindings    = 6   // a report has what --fail-on names
	exitInterrupted = 130 // the user stopped the command
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// findingError says what a report has found on which the command is to fail.
type findingError struct{ text string }

func (e findingError) Error() string { return e.text }

// advice says what to do about an error, or nothing.
func advice(err error) string {
	_, refused := errors.AsType[*client.Error](err)
	switch kind := karbor.KindOf(err); {
	case isUsage(err):
	case kind == karbor.Forbidden && refused:
		return "your roles in the project do not allow it: log in as another user, or ask for a role"
	case kind == karbor.Unauthorized && refused:
		return "log in anew: see OS_AUTH_URL, OS_USERNAME, OS_PROJECT_NAME, or --os-cloud"
	case kind == karbor.OverLimit:
		return "see what is used with: karbor quotas detail"
	case kind == karbor.FailedDependency:
		return "see what needs it with: karbor scheduledoperation list"
	case kind == karbor.TooMany:
		return "wait a little, and try again"
	case kind == karbor.Unavailable:
		return "try again later; operations that run go on"
	case kind == karbor.Internal && refused:
		return "tell your operator the request's id"
	}
	return ""
}

// exitCode gives the code for an error that ended the command.
func exitCode(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if isUsage(err) {
		return exitUsage
	}
	if _, found := errors.AsType[findingError](err); found {
		return exitFindings
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
