package fabric

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"strconv"
)

// Style is the shape of a service's error bodies.
type Style int

// The styles.
const (
	KeystoneStyle Style = iota // {"error": {"code", "message", "title"}}
	ComputeStyle               // Nova, Cinder: {"itemNotFound": {"code", "message"}}
	NeutronStyle               // {"NeutronError": {"type", "message", "detail"}}
	GlanceStyle                // an HTML page
	FalconStyle                // Freezer, Barbican: {"title", "description"}
)

// Error is an answer that is no success. A handler gives it back and the
// service writes it in its own style.
type Error struct {
	Status  int
	Message string
	// Kind is Neutron's "type" or the key of a compute error. Empty: the
	// usual one for Status.
	Kind string
	// Header is added to the answer's.
	Header http.Header
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Message) }

// Errorf makes an error with the usual kind for the status.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// NotFound is Errorf with 404.
func NotFound(format string, args ...any) *Error {
	return Errorf(http.StatusNotFound, format, args...)
}

// BadRequest is Errorf with 400.
func BadRequest(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, format, args...)
}

// Forbidden is Errorf with 403.
func Forbidden(format string, args ...any) *Error {
	return Errorf(http.StatusForbidden, format, args...)
}

// Conflict is Errorf with 409.
func Conflict(format string, args ...any) *Error {
	return Errorf(http.StatusConflict, format, args...)
}

// Typed is Errorf with a kind, such as Neutron's "NetworkInUse".
func Typed(status int, kind, format string, args ...any) *Error {
	return &Error{Status: status, Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// computeKinds are the keys of Nova's and Cinder's errors.
var computeKinds = map[int]string{
	http.StatusBadRequest:            "badRequest",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "itemNotFound",
	http.StatusMethodNotAllowed:      "badMethod",
	http.StatusConflict:              "conflictingRequest",
	http.StatusRequestEntityTooLarge: "overLimit",
	http.StatusTooManyRequests:       "overLimit",
	http.StatusNotImplemented:        "notImplemented",
	http.StatusServiceUnavailable:    "serviceUnavailable",
}

// write writes the error in the style.
func (e *Error) write(w http.ResponseWriter, style Style) {
	maps.Copy(w.Header(), e.Header)
	if style == GlanceStyle {
		title := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(e.Status)
		_, _ = fmt.Fprintf(w, "<html>\n <head>\n  <title>%s</title>\n </head>\n <body>\n  <h1>%s</h1>\n  %s<br /><br />\n\n\n\n </body>\n</html>", title, title, html.EscapeString(e.Message))
		return
	}
	writeJSON(w, e.Status, e.body(style))
}

func (e *Error) body(style Style) any {
	switch {
	case style == KeystoneStyle || e.Status == http.StatusUnauthorized:
		return map[string]any{"error": map[string]any{
			"code": e.Status, "message": e.Message, "title": http.StatusText(e.Status),
		}}
	case style == FalconStyle:
		return map[string]any{"title": fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)), "description": e.Message}
	case style == NeutronStyle:
		kind := e.Kind
		if kind == "" {
			kind = "HTTP" + map[int]string{
				http.StatusBadRequest: "BadRequest", http.StatusForbidden: "Forbidden",
				http.StatusNotFound: "NotFound", http.StatusConflict: "Conflict",
			}[e.Status]
		}
		return map[string]any{"NeutronError": map[string]any{"type": kind, "message": e.Message, "detail": ""}}
	default:
		kind := e.Kind
		if kind == "" {
			kind = computeKinds[e.Status]
		}
		if kind == "" {
			kind = "computeFault"
		}
		return map[string]any{kind: map[string]any{"code": e.Status, "message": e.Message}}
	}
}

// unauthorized is the answer to a token that is missing or no good.
func unauthorized(style Style, keystone string) *Error {
	e := Errorf(http.StatusUnauthorized, "The request you have made requires authentication.")
	if style == GlanceStyle {
		e.Message = "This server could not verify that you are authorized to access the document you requested. Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required."
	}
	e.Header = http.Header{"Www-Authenticate": {fmt.Sprintf("Keystone uri=%q", keystone)}}
	return e
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encoding the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
