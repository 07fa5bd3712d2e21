package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/policy"
)

// Request is what a handler gets: the caller is authenticated and allowed, the
// body has passed its schema. It is for one goroutine.
type Request struct {
	// Identity is the caller.
	Identity *karbor.Identity
	// Version is the microversion that the caller speaks.
	Version Version

	http  *http.Request
	query url.Values
	body  []byte
	base  string
	// rule is the route's, which policy has been asked for the caller's own project.
	policy Enforcer
	rule   string
}

// Path gives a value of the path, such as the type of a protectable.
func (r *Request) Path(name string) string { return r.http.PathValue(name) }

// ID gives a value of the path that must be a UUID, in lower case; else the error
// is karbor.Invalid.
func (r *Request) ID(name string) (string, error) {
	id := r.Path(name)
	if !karbor.IsUUID(id) {
		return "", karbor.Errorf(karbor.Invalid, "Invalid %s provided: %s is not a UUID.", name, quote(id))
	}
	return strings.ToLower(id), nil
}

// Decode reads the body, which has passed the route's schema, into v.
func (r *Request) Decode(v any) error {
	if err := json.Unmarshal(r.body, v); err != nil {
		return karbor.Errorf(karbor.Invalid, "The body can't be understood: a value in it does not fit.")
	}
	return nil
}

// Filter gives a member of the query, or "".
func (r *Request) Filter(name string) string { return r.query.Get(name) }

// ListProject gives the project whose things a list shows: the caller's, or ""
// for all of them when one asks with all_tenants=1 who passes the policy rule with
// _tenants behind its name: an administrator. Others' all_tenants is ignored. With
// project_id, which others' requests may hold in vain, all of them are those of that
// project.
func (r *Request) ListProject() (string, error) {
	all := r.Filter("all_tenants")
	if all == "" {
		return r.Identity.ProjectID, nil
	}
	yes, err := truth(all)
	if err != nil {
		return "", karbor.Errorf(karbor.Invalid, "Invalid all_tenants: %s is neither true nor false.", quote(all))
	}
	if yes && r.policy.ListsAll(r.rule, r.Identity) {
		return r.Filter("project_id"), nil
	}
	return r.Identity.ProjectID, nil
}

// ItemProject gives the project that a thing named by its id must lie in: the
// caller's, or "" for any when the route's policy rule lets the caller act on the
// things of every project: an administrator. For all others, what lies in another
// project does not exist.
func (r *Request) ItemProject() string {
	if r.policy.Crosses(r.rule, r.Identity) {
		return ""
	}
	return r.Identity.ProjectID
}

// Reaches reports whether the route's policy rule lets the caller act on the things
// of the project. It is for a path that names a project, as those of quotas do.
func (r *Request) Reaches(projectID string) bool {
	target := policy.Target{ProjectID: projectID}
	if projectID == r.Identity.ProjectID {
		target.UserID = r.Identity.UserID
	}
	return r.policy.Allowed(r.rule, r.Identity, target)
}

// truth reads a boolean as OpenStack clients write it ("1", "True", "yes").
func truth(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "y", "on":
		return true, nil
	case "no", "n", "off":
		return false, nil
	}
	return strconv.ParseBool(strings.ToLower(s))
}

// parseQuery reads a query; one that is malformed, not UTF-8 or holds a NUL is
// karbor.Invalid.
func parseQuery(raw string) (url.Values, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "The query of the request url is malformed.")
	}
	for name, values := range q {
		for _, text := range append(values, name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return nil, karbor.Errorf(karbor.Invalid, "The query of the request url is not valid UTF-8 text: %s.", quote(name))
			}
		}
	}
	return q, nil
}

// quote shows a text of the caller's in a message, escaped and cut.
func quote(s string) string {
	const limit = 80
	if r := []rune(strings.ToValidUTF8(s, "�")); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return strconv.Quote(s)
}
