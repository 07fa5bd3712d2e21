package openstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// Explain turns an error of a client into a karbor.Error: its kind, whether it may
// pass, and a text that a tenant may read. format and args say what was being done,
// as in "creating a snapshot of volume %s". nil stays nil. A cancelled context stays
// one for errors.Is.
//
//	404                           NotFound
//	403                           Forbidden, or OverLimit for a quota
//	413, 409 of an OverQuota      OverLimit
//	409, and 400 for a status     Conflict, transient unless it can't pass
//	429, 5xx, no answer           Unavailable, transient
//	400                           Invalid
//	401                           Unauthorized
func Explain(err error, format string, args ...any) error {
	return explain(err, format, args...)
}

// IsNotFound reports whether a client's error, explained or not, says that the
// thing is not there.
func IsNotFound(err error) bool {
	return err != nil && (gophercloud.ResponseCodeIs(err, http.StatusNotFound) || karbor.KindOf(err) == karbor.NotFound)
}

func explain(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	var code gophercloud.ErrUnexpectedResponseCode
	var known *karbor.Error
	switch {
	case errors.As(err, &code):
		return answered(code, doing)
	case errors.As(err, &known):
		return &karbor.Error{Kind: known.Kind, Message: doing + ": " + known.Message, Transient: known.Transient, Cause: known.Cause}
	case isTimeout(err) && !errors.Is(err, context.DeadlineExceeded):
		return &karbor.Error{Kind: karbor.Unavailable, Message: doing + ": the cloud did not answer in time", Transient: true, Cause: plain(err)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, plain(err))
	case isSyntax(err):
		return &karbor.Error{Kind: karbor.Unavailable, Message: doing + ": the cloud's answer can't be understood", Cause: plain(err)}
	}
	return &karbor.Error{Kind: karbor.Unavailable, Message: doing + ": the connection to the cloud failed", Transient: true, Cause: plain(err)}
}

// plain takes the URL out of an error of package net/http.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// isSyntax reports that an answer came, but not as JSON of the expected form; or
// that the call itself lacked something.
func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var missing gophercloud.ErrMissingInput
	var invalid gophercloud.ErrInvalidInput
	return errors.Is(err, errTooLong) || errors.As(err, &syntax) || errors.As(err, &kind) || errors.As(err, &missing) || errors.As(err, &invalid)
}

// fault is an answer of the cloud, for the operator's log: no body, no header but
// the request id.
type fault struct {
	status    int
	method    string
	path      string
	requestID string
}

func newFault(e gophercloud.ErrUnexpectedResponseCode) *fault {
	f := &fault{status: e.Actual, method: e.Method, requestID: e.ResponseHeader.Get(requestIDHeader)}
	if u, err := url.Parse(e.URL); err == nil {
		f.path = u.Host + u.Path
	}
	return f
}

func (f *fault) Error() string {
	text := fmt.Sprintf("%s %s answered %d", f.method, f.path, f.status)
	if f.requestID != "" {
		text += " (" + f.requestID + ")"
	}
	return text
}

var (
	quotaWords = regexp.MustCompile(`(?i)quota|maximum number of|limit ?exceeded|exceeds? (the )?allowed`)
	// Cinder answers 400 to what Nova answers 409 to.
	statusWords = regexp.MustCompile(`(?i)status must (not )?be|must be in (the )?state|invalid (volume|snapshot|backup): .*status`)
	// A conflict of these kinds does not pass by waiting.
	lastingWords = regexp.MustCompile(`(?i)already exists|duplicate|already allocated|already associated|no more ip|is protected|overlap`)
)

// answered explains an answer of the cloud that is not the expected one.
func answered(e gophercloud.ErrUnexpectedResponseCode, doing string) error {
	said := message(e.Body)
	out := &karbor.Error{Kind: karbor.Unavailable, Cause: newFault(e)}
	over := quotaWords.MatchString(said)
	switch status := e.Actual; {
	case status == http.StatusNotFound || status == http.StatusGone:
		out.Kind = karbor.NotFound
	case status == http.StatusRequestEntityTooLarge, over && (status == http.StatusForbidden || status == http.StatusConflict):
		out.Kind = karbor.OverLimit
	case status == http.StatusUnauthorized:
		out.Kind, said = karbor.Unauthorized, "the cloud does not accept the token"
	case status == http.StatusForbidden:
		out.Kind = karbor.Forbidden
	case status == http.StatusConflict, status == http.StatusBadRequest && statusWords.MatchString(said):
		out.Kind, out.Transient = karbor.Conflict, !lastingWords.MatchString(said)
	case status == http.StatusTooManyRequests || status >= 500 || status == http.StatusRequestTimeout:
		out.Transient = status != http.StatusNotImplemented
	case status >= 400:
		out.Kind = karbor.Invalid
	}
	if said == "" {
		said = fmt.Sprintf("the cloud answered %d", e.Actual)
	}
	out.Message = doing + ": " + hideIDs(said, doing)
	return out
}

// longestMessage is how much of the cloud's own text is told, in bytes.
const longestMessage = 300

// message takes the sentence out of an error's body: every service wraps it in an
// object of its own.
func message(body []byte) string {
	var doc any
	if json.Unmarshal(body, &doc) != nil {
		return ""
	}
	return shorten(withoutValues(findMessage(doc, 0)))
}

func findMessage(doc any, depth int) string {
	members, ok := doc.(map[string]any)
	if !ok || depth > 2 {
		return ""
	}
	for _, name := range []string{"message", "description", "detail"} {
		if text, ok := members[name].(string); ok && text != "" {
			return text
		}
	}
	if text, ok := members["NeutronError"].(string); ok {
		return text
	}
	for _, inner := range members {
		if text := findMessage(inner, depth+1); text != "" {
			return text
		}
	}
	return ""
}

// What a schema check says of a member repeats the member's value, which may be a
// password or user data.
var invalidField = regexp.MustCompile(`(?is)(invalid input for (?:field|attribute|field/attribute) [^\s.:]+).*`)

func withoutValues(s string) string { return invalidField.ReplaceAllString(s, "$1") }

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= longestMessage {
		return s
	}
	cut := longestMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

var projectID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// hideIDs takes ids of projects and users out of the cloud's text, unless we named
// them ourselves. They have no dashes, unlike the ids of other things.
func hideIDs(said, doing string) string {
	return projectID.ReplaceAllStringFunc(said, func(id string) string {
		if strings.Contains(doing, id) {
			return id
		}
		return "…"
	})
}
