package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
)

// fault is the store's answer, for the operator's log: no text of the store's, which
// may repeat what was sent to it.
type fault struct {
	status    int
	code      string
	requestID string
}

// plain is what codes and ids of requests look like.
var plain = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

func newFault(e minio.ErrorResponse) *fault {
	f := &fault{status: e.StatusCode}
	if plain.MatchString(e.Code) {
		f.code = e.Code
	}
	if plain.MatchString(e.RequestID) {
		f.requestID = e.RequestID
	}
	return f
}

// Error implements error.
func (f *fault) Error() string {
	text := fmt.Sprintf("the store answered %d %s", f.status, f.code)
	if f.requestID != "" {
		text += " to request " + f.requestID
	}
	return text
}

// explain gives an error of a call its kind and a text that a tenant may read. doing
// says what was being done, such as "writing a/b". nil stays nil.
func explain(ctx context.Context, doing string, err error) error {
	var said minio.ErrorResponse
	var ours *karbor.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case errors.As(err, &ours):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, errStalled):
		return transient(doing, "the bank does not answer in time", err)
	case errors.As(err, &said):
		return answered(doing, said)
	case isDistrust(err):
		return failure(karbor.Unavailable, doing, "the bank's certificate is not to be trusted", withoutURL(err))
	}
	return transient(doing, "the bank does not answer now", withoutURL(err))
}

func failure(kind karbor.Kind, doing, message string, cause error) *karbor.Error {
	return &karbor.Error{Kind: kind, Message: doing + ": " + message, Cause: cause}
}

func transient(doing, message string, cause error) error {
	e := failure(karbor.Unavailable, doing, message, cause)
	e.Transient = true
	return e
}

// withoutURL takes the URL out of an error of package net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func isDistrust(err error) bool {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var verification *tls.CertificateVerificationError
	return errors.As(err, &unknown) || errors.As(err, &invalid) || errors.As(err, &name) || errors.As(err, &verification)
}

// answered explains an answer of the store that is an error.
func answered(doing string, e minio.ErrorResponse) error {
	cause := newFault(e)
	switch e.Code {
	case "NoSuchBucket":
		return failure(karbor.Unavailable, doing, "the bank's bucket is not there", cause)
	case "NoSuchKey", "NoSuchVersion":
		return failure(karbor.NotFound, doing, "there is no such object", cause)
	case "PreconditionFailed":
		return failure(karbor.Conflict, doing, "the object exists already", cause)
	case "ConditionalRequestConflict", "OperationAborted", "ExistingObjectIsDirectory":
		return transient(doing, "another write is under way", cause)
	case "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "XAdminBucketQuotaExceeded", "XMinioAdminBucketQuotaExceeded":
		return failure(karbor.OverLimit, doing, "the bank is full", cause)
	case "EntityTooLarge":
		return failure(karbor.Invalid, doing, "the object is larger than the bank takes", cause)
	case "RequestTimeTooSkewed":
		return failure(karbor.Unavailable, doing, "the bank's clock and the host's differ too much", cause)
	case "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "InvalidDigest":
		return transient(doing, "the object was damaged on its way", cause)
	case "SlowDown", "SlowDownWrite", "SlowDownRead", "InternalError", "RequestTimeout", "ServiceUnavailable", "Throttling",
		"ThrottlingException", "RequestLimitExceeded", "RequestThrottled", "ExpiredToken", "ExpiredTokenException":
		return transient(doing, "the bank does not answer now", cause)
	}
	switch status := e.StatusCode; {
	case status == http.StatusNotFound:
		return failure(karbor.NotFound, doing, "there is no such object", cause)
	case status == http.StatusPreconditionFailed:
		return failure(karbor.Conflict, doing, "the object exists already", cause)
	case status == http.StatusInsufficientStorage:
		return failure(karbor.OverLimit, doing, "the bank is full", cause)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return failure(karbor.Unavailable, doing, "the bank refuses access", cause)
	case status == http.StatusNotImplemented || status == http.StatusMethodNotAllowed:
		return failure(karbor.NotImplemented, doing, "the bank can't do that", cause)
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return transient(doing, "the bank does not answer now", cause)
	}
	return failure(karbor.Unavailable, doing, "the bank refuses the request", cause)
}

// is reports whether err is of a kind.
func is(err error, kind karbor.Kind) bool { return err != nil && karbor.KindOf(err) == kind }
