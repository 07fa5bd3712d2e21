package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Error is a refusal by the service, or by something between it and us.
type Error struct {
	// Status is the HTTP status.
	Status int
	// RequestID names the request in the service's log; it may be empty.
	RequestID string
	// RetryAfter is how long the service asks to wait; 0 if it says nothing.
	RetryAfter time.Duration
	// Err has the kind and the message.
	Err *karbor.Error
}

// Error gives the service's message.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the error with the kind.
func (e *Error) Unwrap() error { return e.Err }

// RequestID gives the id of the request that failed with err, or "".
func RequestID(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RequestID
	}
	return ""
}

// statusOf gives the HTTP status of a refusal, or 0.
func statusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// retryAfter gives how long the service asks to wait, or 0.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// kinds are the kinds of the statuses of the wire contract.
var kinds = map[int]karbor.Kind{
	http.StatusBadRequest:            karbor.Invalid,
	http.StatusUnauthorized:          karbor.Unauthorized,
	http.StatusForbidden:             karbor.Forbidden,
	http.StatusNotFound:              karbor.NotFound,
	http.StatusNotAcceptable:         karbor.Invalid,
	http.StatusConflict:              karbor.Conflict,
	http.StatusRequestEntityTooLarge: karbor.OverLimit,
	http.StatusFailedDependency:      karbor.FailedDependency,
	http.StatusTooManyRequests:       karbor.TooMany,
	http.StatusNotImplemented:        karbor.NotImplemented,
	http.StatusBadGateway:            karbor.Unavailable,
	http.StatusServiceUnavailable:    karbor.Unavailable,
	http.StatusGatewayTimeout:        karbor.Unavailable,
}

// refusal makes an error of an answer that is not a success.
func refusal(res *http.Response, body []byte) *Error {
	kind := kinds[res.StatusCode]
	e := &Error{Status: res.StatusCode, RequestID: res.Header.Get("X-Openstack-Request-Id")}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	e.Err = karbor.Errorf(kind, "%s", message(res.StatusCode, body))
	e.Err.Transient = kind == karbor.Unavailable || kind == karbor.TooMany
	return e
}

// message reads the sentence in an error's envelope, {"NAME": {"code": N,
// "message": "…"}}. Proxies and Keystone's middleware answer otherwise; for
// those the status must do.
func message(status int, body []byte) string {
	var envelope map[string]struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &envelope) == nil {
		for _, e := range envelope {
			if e.Message != "" {
				return e.Message
			}
		}
	}
	return fmt.Sprintf("the service answered %d %s", status, strings.ToLower(http.StatusText(status)))
}

// unreachable makes an error of a request that got no whole answer.
func unreachable(host string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		e := karbor.Transientf("the service at %s did not answer in time", host)
		e.Cause = err
		return e
	}
	return karbor.Transientf("the service at %s can't be reached: %w", host, err)
}

// passing reports whether the same request may well succeed soon.
func passing(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Err.Kind == karbor.Unavailable || e.Err.Kind == karbor.TooMany
	}
	return karbor.IsTransient(err)
}
