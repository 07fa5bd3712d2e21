package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/karbor/karbor"
)

// Version is a microversion 1.N of the API, by its N. docs/api/microversions.md
// says what each adds.
type Version int

// The microversions. A request that names none gets the first.
const (
	MinVersion Version = 0
	// ProgressVersion adds progress, sizes and reasons of checkpoints and restores.
	ProgressVersion Version = 1
	// CopyVersion adds the quota gigabytes, and the state of copies.
	CopyVersion Version = 2
	// FiguresVersion adds what each resource of a checkpoint added to the bank, and the
	// progress of verifications.
	FiguresVersion Version = 3
	// ControlVersion adds what tells more of an operation what to do: the choices of a
	// restore, cancels, holds, and what comes with them.
	ControlVersion Version = 4
	// ProofVersion adds what shows that checkpoints can be brought back, and does so by
	// itself.
	ProofVersion Version = 5
	// InsightVersion adds what tells more of what operations do and use.
	InsightVersion Version = 6
	// AssuranceVersion adds what tells whether what one relies on is still there.
	AssuranceVersion Version = 7
	// LedgerVersion adds what drills make to the ledger of temporary resources.
	LedgerVersion Version = 8
	MaxVersion    Version = 8
)

// String gives the version as the header has it, such as 1.1.
func (v Version) String() string { return "1." + strconv.Itoa(int(v)) }

const (
	versionHeader = "OpenStack-API-Version"
	serviceType   = "data-protect"
)

// notAcceptableError is the fault of a microversion that is not served. It is the only
// one that no kind of error stands for.
type notAcceptableError struct{ asked string }

func (e *notAcceptableError) Error() string {
	return fmt.Sprintf("Version %s is not supported by the API. Minimum is %s and maximum is %s.", quote(e.asked), MinVersion, MaxVersion)
}

// negotiate finds the version that the headers ask of this service. The header
// may name other services too, separated by commas.
func negotiate(h http.Header) (Version, error) {
	for _, line := range h.Values(versionHeader) {
		for part := range strings.SplitSeq(line, ",") {
			fields := strings.Fields(part)
			if len(fields) == 0 || fields[0] != serviceType {
				continue
			}
			if len(fields) != 2 {
				return 0, karbor.Errorf(karbor.Invalid, "Invalid %s header: %s is not of the form %q.", versionHeader, quote(strings.TrimSpace(part)), serviceType+" 1.N")
			}
			return parseVersion(fields[1])
		}
	}
	return MinVersion, nil
}

func parseVersion(s string) (Version, error) {
	if s == "latest" {
		return MaxVersion, nil
	}
	major, minor, ok := strings.Cut(s, ".")
	if !ok || !isDigits(major) || !isDigits(minor) {
		return 0, karbor.Errorf(karbor.Invalid, "Invalid %s header: %s is not a version.", versionHeader, quote(s))
	}
	n, err := strconv.Atoi(minor)
	if major != "1" || err != nil || Version(n) > MaxVersion || Version(n) < MinVersion {
		return 0, &notAcceptableError{asked: s}
	}
	return Version(n), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// announce writes the version that is spoken into the answer's headers.
func announce(h http.Header, v Version) {
	h.Set(versionHeader, serviceType+" "+v.String())
	h.Add("Vary", versionHeader)
}

// versionDocument describes the one major version that is served.
func versionDocument(base string) versionView {
	return versionView{
		ID: "v1.0", Status: "CURRENT", MinVersion: MinVersion.String(), MaxVersion: MaxVersion.String(),
		Links: []Link{{Rel: "self", Href: base + "/v1/"}, {Rel: "describedby", Href: base + documentPath}},
	}
}

// versionView is a version on the wire.
type versionView struct {
	ID         string `json:"id"`
	Status     string `json:"status" enum:"CURRENT"`
	MinVersion string `json:"min_version" doc:"The oldest microversion that is served."`
	MaxVersion string `json:"max_version" doc:"The newest microversion that is served."`
	Links      []Link `json:"links"`
}

// documentPath is where the OpenAPI document is.
const documentPath = "/v1/openapi.json"

// serveDocument answers GET /v1/openapi.json.
func (a *API) serveDocument(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(a.document)))
	h.Set("Cache-Control", "public, max-age=300")
	w.WriteHeader(http.StatusOK)
	// What the client does not take is its own loss.
	_, _ = w.Write(a.document)
}

// serveVersions answers GET / with 300 and all versions.
func (a *API) serveVersions(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{"versions": []any{versionDocument(a.base(r))}}
	if err := write(w, http.StatusMultipleChoices, body); err != nil {
		a.fault(w, r, err)
	}
}

// serveVersion answers GET /v1 with 200 and that version.
func (a *API) serveVersion(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{"version": versionDocument(a.base(r))}
	if err := write(w, http.StatusOK, body); err != nil {
		a.fault(w, r, err)
	}
}

type versionKey struct{}

func versionOf(ctx context.Context) Version {
	v, _ := ctx.Value(versionKey{}).(Version)
	return v
}
