package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api/admission"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/policy"
	"github.com/karbor/karbor/internal/schema"
)

// Route is one thing that the API serves. Routing, policy and validation all come
// out of this value, so they cannot drift apart.
type Route struct {
	// Method is GET (which serves HEAD too), POST, PUT or DELETE.
	Method string
	// Pattern is the path below /v1/{project_id}, such as /plans/{id}, in the
	// words of http.ServeMux.
	Pattern string
	// Rule is the policy rule that a caller must pass.
	Rule string
	// Since is the microversion that brought the route. Below it there is none: the path
	// is 405 if it takes other methods there, else 404.
	Since Version
	// Body is the JSON Schema of the body. A route without one takes no body, and
	// ignores one that comes.
	Body json.RawMessage
	// Summary says in a few words what it does, as an order: List the plans. It
	// has no full stop. Description says more, in Markdown; it may be empty. Tag is
	// the group of the reference page that it stands in: the first part of the
	// pattern where it is empty.
	Summary, Description, Tag string
	// Query describes the parameters that Handle reads from the query.
	Query []Parameter
	// Answer describes what Handle answers with: a value of that type, a Shape, or
	// a json.RawMessage that holds a JSON Schema. nil is an empty body.
	Answer any
	// Stream says that Handle answers with Events; Answer then describes the data of an
	// event.
	Stream bool
	// Handle does the work. Its answer is written as JSON with status 200; nil
	// is an empty body. It is called concurrently.
	Handle func(ctx context.Context, r *Request) (any, error)
}

// bound is a route, ready to serve.
type bound struct {
	Route
	api    *API
	schema *schema.Schema
}

func bind(a *API, r Route) (*bound, error) {
	b := &bound{Route: r, api: a}
	switch {
	case r.Handle == nil:
		return nil, errors.New("there is no handler")
	case !a.policy.Known(r.Rule):
		return nil, fmt.Errorf("the policy rule %q is not known", r.Rule)
	}
	if r.Body != nil {
		s, err := schema.Compile(r.Body)
		if err != nil {
			return nil, fmt.Errorf("compiling the schema of the body: %w", err)
		}
		b.schema = s
	}
	return b, nil
}

// ServeHTTP implements http.Handler; the mux calls it, with the path's values. The time for a request
// is not that of the events which its answer may be.
func (b *bound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), b.api.limits.Time)
	defer cancel()
	limited := r.WithContext(ctx)
	answer, err := b.run(limited)
	if events, ok := answer.(Events); ok && err == nil {
		limited = r
		err = b.api.stream(w, r, b.Rule, events)
	} else if err == nil {
		err = write(w, http.StatusOK, answer)
	}
	if err != nil {
		b.api.fault(w, limited, err)
	}
}

func (b *bound) run(r *http.Request) (any, error) {
	ctx := r.Context()
	id := identityOf(ctx)
	project := r.PathValue("project_id")
	if project != id.ProjectID {
		return nil, karbor.Errorf(karbor.Invalid, "Malformed request url: the project %s in it is not the project of the token.", quote(project))
	}
	if err := b.api.policy.Check(ctx, b.Rule, id, policy.Target{ProjectID: project, UserID: id.UserID}); err != nil {
		return nil, err
	}
	req := &Request{
		Identity: id,
		Version:  versionOf(ctx),
		http:     r,
		base:     b.api.base(r),
		policy:   b.api.policy,
		rule:     b.Rule,
	}
	var err error
	if req.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if b.schema != nil {
		if req.body, err = readBody(r, b.schema, b.api.limits.Body); err != nil {
			return nil, err
		}
	}
	scope, err := replayScope(r, id)
	switch {
	case err != nil:
		return nil, err
	case scope == "":
		return b.work(ctx, req)
	}
	return b.api.replays.do(ctx, scope, req.body, func(ctx context.Context) (any, error) { return b.work(ctx, req) })
}

// work handles a request when its turn has come. While it waits for a cloud, it is
// another's turn.
func (b *bound) work(ctx context.Context, req *Request) (any, error) {
	place, err := b.api.places.Enter(ctx, req.Identity.ProjectID)
	if errors.Is(err, admission.ErrBusy) {
		return nil, errBusy
	}
	if err != nil {
		return nil, err
	}
	defer place.Leave()
	return b.Handle(openstack.WithRest(ctx, place.Rest), req)
}
