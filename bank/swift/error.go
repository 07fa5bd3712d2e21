package swift

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// explain gives an error of a request its kind and a text that a tenant may read.
// doing says what was being done, such as "writing a/b". nil stays nil.
func explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	e := &karbor.Error{Kind: karbor.Unavailable, Cause: openstack.Explain(err, "asking Swift")}
	if code, ok := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err); ok {
		var said string
		e.Kind, e.Transient, said = meaning(code.Actual)
		e.Message = doing + ": " + said
		return e
	}
	// Whatever Keystone says of the bank's own credentials is not the tenant's affair.
	e.Transient = karbor.IsTransient(e.Cause)
	if e.Transient {
		e.Message = doing + ": the bank does not answer now"
		return e
	}
	e.Message = doing + ": the bank can't be reached"
	return e
}

// meaning says what a status of Swift means.
func meaning(status int) (kind karbor.Kind, transient bool, said string) {
	switch {
	case status == http.StatusNotFound:
		return karbor.NotFound, false, "there is no such object"
	case status == http.StatusPreconditionFailed:
		return karbor.Conflict, false, "the object exists already"
	case status == http.StatusRequestEntityTooLarge, status == http.StatusInsufficientStorage:
		return karbor.OverLimit, false, "the bank is full" // a quota, or its disks
	case status == http.StatusUnprocessableEntity:
		return karbor.Unavailable, true, "the object was damaged on its way"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return karbor.Unavailable, false, "the bank refuses access"
	case status == http.StatusConflict: // of two writes the later one counts
		return karbor.Unavailable, true, "another write is under way"
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status == 498, status >= 499:
		return karbor.Unavailable, status != http.StatusNotImplemented, "the bank does not answer now"
	}
	return karbor.Unavailable, false, "the bank refuses the request"
}

// is reports whether err is of a kind.
func is(err error, kind karbor.Kind) bool { return err != nil && karbor.KindOf(err) == kind }
