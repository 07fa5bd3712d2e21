package fabric

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is the largest JSON body that is read, in bytes.
const maxBody = 1 << 20

// Request is a request on its way through a service, with the identity of its
// token and the means to answer.
type Request struct {
	*http.Request
	Identity
	W       http.ResponseWriter
	ID      string  // req-<uuid>, also in the answer's header
	Version Version // the microversion, if the service has such

	fab *Fabric
}

// Base gives the URL of the cloud as this client reaches it, without a slash
// at the end; for links.
func (r *Request) Base() string {
	if r.Host == "" {
		return r.fab.Base()
	}
	return "http://" + r.Host
}

// Decode reads the JSON body into v. The error is a 400.
func (r *Request) Decode(v any) error {
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(v); err != nil {
		return BadRequest("Malformed request body: %v", err)
	}
	return nil
}

// Action reads the body of a POST …/action, an object with one member: its
// name and its value (null if empty).
func (r *Request) Action() (string, json.RawMessage, error) {
	var body map[string]json.RawMessage
	if err := r.Decode(&body); err != nil {
		return "", nil, err
	}
	if len(body) != 1 {
		return "", nil, BadRequest("There is no such action: the body needs exactly one.")
	}
	for name, value := range body {
		return name, value, nil
	}
	return "", nil, nil
}

// JSON answers with a JSON body.
func (r *Request) JSON(status int, v any) error {
	writeJSON(r.W, status, v)
	return nil
}

// Empty answers without a body.
func (r *Request) Empty(status int) error {
	if status != http.StatusNoContent {
		r.W.Header().Set("Content-Length", "0")
	}
	r.W.WriteHeader(status)
	return nil
}

// Int reads a whole number from the query; def if it isn't there. The error
// is a 400.
func (r *Request) Int(name string, def int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, BadRequest("Invalid input received: %s must be an integer, not %q", name, text)
	}
	return n, nil
}

// Flag reads a boolean from the query in any of OpenStack's spellings.
func (r *Request) Flag(name string) bool {
	switch strings.ToLower(r.URL.Query().Get(name)) {
	case "1", "t", "true", "on", "y", "yes":
		return true
	}
	return false
}

// answer is the ResponseWriter of a request. It carries the request to its
// handler, and cuts the body for faults.
type answer struct {
	http.ResponseWriter
	request *Request
	left    int64 // bytes of the body still let through; negative: all
	lost    bool  // the answer is not to arrive at all
}

// WriteHeader holds back the status of a lost answer.
func (a *answer) WriteHeader(status int) {
	if !a.lost {
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write lets at most the rest through, and then closes the connection.
func (a *answer) Write(p []byte) (int, error) {
	if a.lost {
		return len(p), nil
	}
	if a.left < 0 {
		return a.ResponseWriter.Write(p)
	}
	n := min(a.left, int64(len(p)))
	_, err := a.ResponseWriter.Write(p[:n])
	a.left -= n
	if err != nil || n < int64(len(p)) {
		if f, ok := a.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to close the connection
	}
	return len(p), nil
}

// Unwrap lets http.ResponseController find the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Version is a microversion.
type Version struct{ Major, Minor int }

// AtLeast tells whether v is that version or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Microversions says how a service's microversions are asked for.
type Microversions struct {
	Type     string // "compute", "volume"
	Old      string // an older header with only the number, or empty
	Min, Max Version
}

// choose reads the version that is asked for and sets the answer's headers.
// Without one it is Min.
func (m *Microversions) choose(out, in http.Header) (Version, error) {
	text := ""
	if m.Old != "" {
		text = in.Get(m.Old)
	}
	for value := range strings.SplitSeq(in.Get("OpenStack-API-Version"), ",") {
		if name, number, ok := strings.Cut(strings.TrimSpace(value), " "); ok && name == m.Type {
			text = strings.TrimSpace(number)
		}
	}
	v := m.Min
	switch text {
	case "":
	case "latest":
		v = m.Max
	default:
		if _, err := fmt.Sscanf(text, "%d.%d", &v.Major, &v.Minor); err != nil {
			return v, BadRequest("API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", text)
		}
	}
	out.Set("OpenStack-API-Version", m.Type+" "+v.String())
	out.Add("Vary", "OpenStack-API-Version")
	if m.Old != "" {
		out.Set(m.Old, v.String())
		out.Add("Vary", m.Old)
	}
	if !v.AtLeast(m.Min.Major, m.Min.Minor) || !m.Max.AtLeast(v.Major, v.Minor) {
		return v, Typed(http.StatusNotAcceptable, "computeFault",
			"Version %s is not supported by the API. Minimum is %s and maximum is %s.", v, m.Min, m.Max)
	}
	return v, nil
}

// Seconds writes a time as Nova, Neutron and Glance do.
func Seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Micros writes a time as Cinder does: microseconds and no zone.
func Micros(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }
