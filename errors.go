package karbor

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is. The front door turns kinds into
// HTTP statuses; nothing below it knows about HTTP.
type Kind int

// The kinds. Internal is the zero value: an error without a kind is our fault
// and its text is not for the tenant.
const (
	Internal         Kind = iota // 500: a fault of ours
	Invalid                      // 400: the request can't be understood or carried out as it is
	Unauthorized                 // 401: no valid token
	Forbidden                    // 403: the token's roles do not allow it
	NotFound                     // 404: no such thing in the caller's project
	Conflict                     // 409: the thing's state forbids it
	OverLimit                    // 413: a quota is used up
	TooMany                      // 429: too many requests
	FailedDependency             // 424: something else still needs it
	NotImplemented               // 501: not offered by this service
	Unavailable                  // 503: something that we need does not answer now
)

// Error is an error with a kind and a sentence that the tenant may read. It
// never holds a secret or another project's data. Cause, if any, is for the
// operator's log only.
type Error struct {
	Kind    Kind
	Message string
	// Transient says that the same call may succeed later, so that a retry
	// makes sense.
	Transient bool
	Cause     error
	// said is set where the message holds the cause's text already.
	said bool
}

// Error gives the message, with the cause behind it where that adds something.
func (e *Error) Error() string {
	if e.said || e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an error of a kind. With %w the wrapped error is the cause; the
// whole text is what the tenant reads, so wrap only what the tenant may read.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Cause: errors.Unwrap(err), said: true}
}

// Transientf makes an error of kind Unavailable that may pass: a retry makes
// sense.
func Transientf(format string, args ...any) *Error {
	e := Errorf(Unavailable, format, args...)
	e.Transient = true
	return e
}

// KindOf gives the kind of the outermost Error in err's chain, else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// IsTransient reports whether a retry of what failed with err makes sense. A
// cancelled context is not transient; a deadline that has passed is.
func IsTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Transient
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// Sentence gives what the tenant may read of err: the message of the outermost
// Error in its chain, or a bare sentence when err is a fault of ours.
func Sentence(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.Is(err, context.Canceled):
		return "it was cancelled"
	default:
		return "an internal error happened; the operator's log has the details"
	}
}
