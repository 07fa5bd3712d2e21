// Package exit has the exit codes of the karbor command, and the errors that lead to
// them.
package exit

import (
	"context"
	"errors"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client"
)

// Exit codes, part of the command's contract (docs/tenants/README.md).
const (
	OK          = 0
	Failed      = 1   // the operation failed, or the service refused the request
	Usage       = 2   // the command line is wrong, or a name is not unique
	Login       = 3   // no login, or not allowed
	NotFound    = 4   // no such thing
	Unreachable = 5   // the service or Keystone can't be reached
	Findings    = 6   // a report has what --fail-on names
	Interrupted = 130 // the user stopped the command
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// AsUsage makes an error one of the command line.
func AsUsage(err error) error { return usageError{err} }

// Usagef makes an error of the command line.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether an error is one of the command line.
func IsUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}

// findingError says what a report has found on which the command is to fail.
type findingError struct{ text string }

func (e findingError) Error() string { return e.text }

// Finding makes the error of a report that has what the command is to fail on.
func Finding(text string) error { return findingError{text} }

// Advice says what to do about an error, or nothing.
func Advice(err error) string {
	_, refused := errors.AsType[*client.Error](err)
	switch kind := karbor.KindOf(err); {
	case IsUsage(err):
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

// Code gives the code for an error that ended the command, whose context was ctx.
func Code(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return Interrupted
	}
	if IsUsage(err) {
		return Usage
	}
	if _, found := errors.AsType[findingError](err); found {
		return Findings
	}
	switch karbor.KindOf(err) {
	case karbor.Unauthorized, karbor.Forbidden:
		return Login
	case karbor.NotFound:
		return NotFound
	case karbor.Unavailable:
		return Unreachable
	default:
		return Failed
	}
}
