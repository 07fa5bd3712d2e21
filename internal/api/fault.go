package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/karbor/karbor"
)

// faultForm is how a kind of error looks on the wire.
type faultForm struct {
	status int
	name   string
	// retryAfter is the Retry-After header in seconds, or "".
	retryAfter string
}

// forms are those of docs/api, "Errors".
var forms = map[karbor.Kind]faultForm{
	karbor.Internal:         {http.StatusInternalServerError, "computeFault", ""},
	karbor.Invalid:          {http.StatusBadRequest, "badRequest", ""},
	karbor.Unauthorized:     {http.StatusUnauthorized, "unauthorized", ""},
	karbor.Forbidden:        {http.StatusForbidden, "forbidden", ""},
	karbor.NotFound:         {http.StatusNotFound, "itemNotFound", ""},
	karbor.Conflict:         {http.StatusConflict, "conflictingRequest", ""},
	karbor.OverLimit:        {http.StatusRequestEntityTooLarge, "overLimit", "0"},
	karbor.TooMany:          {http.StatusTooManyRequests, "overLimit", "1"},
	karbor.FailedDependency: {http.StatusFailedDependency, "failedDependency", ""},
	karbor.NotImplemented:   {http.StatusNotImplemented, "notImplemented", ""},
	karbor.Unavailable:      {http.StatusServiceUnavailable, "serviceUnavailable", "5"},
}

// faultBody is the inside of an error's envelope.
type faultBody struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	// RetryAfter repeats the header, as the old service did.
	RetryAfter string `json:"retryAfter,omitempty"`
}

// methodNotAllowedError is the fault of a path that takes other methods.
type methodNotAllowedError struct{ method, allow string }

func (e *methodNotAllowedError) Error() string {
	return fmt.Sprintf("The method %s is not allowed for this resource; allowed are %s.", quote(e.method), e.allow)
}

// fault writes an error in the words of the wire contract. A fault of ours is
// logged here, once, and the tenant reads a plain sentence.
func (a *API) fault(w http.ResponseWriter, r *http.Request, err error) {
	form, message := a.describe(r, err)
	h := w.Header()
	if form.retryAfter != "" {
		h.Set("Retry-After", form.retryAfter)
	}
	if form.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Keystone uri="+strconv.Quote(a.authURL))
	}
	if method, ok := errors.AsType[*methodNotAllowedError](err); ok {
		h.Set("Allow", method.allow)
	}
	body := map[string]faultBody{form.name: {Code: form.status, Message: message, RetryAfter: form.retryAfter}}
	// The body is made of texts and numbers: it can't fail to encode.
	_ = write(w, form.status, body)
}

// describe chooses the form and the sentence of an error.
func (a *API) describe(r *http.Request, err error) (faultForm, string) {
	var method *methodNotAllowedError
	var version *notAcceptableError
	var limit *limitError
	switch {
	case errors.As(err, &limit):
		return limit.form, limit.message
	case errors.As(err, &method):
		return faultForm{http.StatusMethodNotAllowed, "badMethod", ""}, method.Error()
	case errors.As(err, &version):
		return faultForm{http.StatusNotAcceptable, "notAcceptable", ""}, version.Error()
	}
	kind := karbor.KindOf(err)
	ctx := r.Context()
	if kind == karbor.Internal {
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			return forms[karbor.Unavailable], "The request took too long, or was given up."
		}
		a.logger.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.String("request_id", RequestID(ctx)), slog.String("error", err.Error()))
		return forms[kind], "The server has met an internal error. The operator finds it in the log under the request id " + RequestID(ctx) + "."
	}
	if kind == karbor.Unavailable {
		a.logger.LogAttrs(ctx, slog.LevelWarn, "request could not be served now",
			slog.String("request_id", RequestID(ctx)), slog.String("error", err.Error()))
	}
	form, ok := forms[kind]
	if !ok {
		form = forms[karbor.Internal]
	}
	return form, karbor.Sentence(err)
}

// write sends an answer as JSON; a nil one is an empty body.
func write(w http.ResponseWriter, status int, answer any) error {
	h := w.Header()
	if answer == nil {
		h.Set("Content-Length", "0")
		w.WriteHeader(status)
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	// What the client does not take is its own loss.
	_, _ = w.Write(b.Bytes())
	return nil
}
