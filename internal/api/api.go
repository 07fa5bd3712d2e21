package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/policy"
)

// Authenticator validates tokens.
type Authenticator interface {
	// Validate gives what Keystone says of a token. A token that is no good is
	// karbor.Unauthorized.
	Validate(ctx context.Context, token karbor.Secret) (*karbor.Identity, error)
}

// Enforcer decides by policy rules; policy.Enforcer is one.
type Enforcer interface {
	Known(rule string) bool
	Check(ctx context.Context, rule string, id *karbor.Identity, target policy.Target) error
}

var _ Enforcer = (*policy.Enforcer)(nil)

// Options are what an API is made of. All are required but PublicURL.
type Options struct {
	Routes        []Route
	Authenticator Authenticator
	Policy        Enforcer
	Logger        *slog.Logger
	// AuthURL is Keystone's public address, for the WWW-Authenticate header.
	AuthURL string
	// PublicURL is the address at which clients reach the service, without
	// /v1; where it is empty, links are built from what the request came to.
	PublicURL string
	// Now is the clock, for the duration in the access line.
	Now func() time.Time
}

// API serves the routes. It is an http.Handler, safe for concurrent use.
type API struct {
	mux           *http.ServeMux
	authenticator Authenticator
	policy        Enforcer
	logger        *slog.Logger
	authURL       string
	publicURL     string
	now           func() time.Time
	replays       *replays
}

// New makes an API. It reports routes that can't be served: an unknown rule, a
// schema that does not compile, one pattern twice.
func New(o Options) (*API, error) {
	if o.Authenticator == nil || o.Policy == nil || o.Logger == nil || o.Now == nil {
		return nil, errors.New("the API needs an authenticator, a policy, a logger and a clock")
	}
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("the public URL %q is not an http(s) URL", o.PublicURL)
		}
	}
	a := &API{
		mux:           http.NewServeMux(),
		authenticator: o.Authenticator,
		policy:        o.Policy,
		logger:        o.Logger,
		authURL:       o.AuthURL,
		publicURL:     strings.TrimSuffix(o.PublicURL, "/"),
		now:           o.Now,
		replays:       newReplays(o.Now),
	}
	a.mux.Handle("GET /{$}", document(a.serveVersions))
	a.mux.Handle("GET /v1", document(a.serveVersion))
	a.mux.Handle("GET /v1/{$}", document(a.serveVersion))
	seen := map[string]bool{}
	for _, r := range o.Routes {
		pattern := r.Method + " /v1/{project_id}" + r.Pattern
		if seen[pattern] {
			return nil, fmt.Errorf("the route %s is there twice", pattern)
		}
		seen[pattern] = true
		b, err := bind(a, r)
		if err != nil {
			return nil, fmt.Errorf("adding the route %s: %w", pattern, err)
		}
		a.mux.Handle(pattern, b)
	}
	return a, nil
}

// document is a handler that needs no token.
type document http.HandlerFunc

// ServeHTTP implements http.Handler.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) { d(w, r) }

// ServeHTTP implements http.Handler: the one road of a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := a.now()
	id := "req-" + karbor.NewID()
	w.Header().Set(requestIDHeader, id)
	w.Header().Set("X-Compute-Request-Id", id)
	ctx := context.WithValue(r.Context(), requestIDKey{}, id)
	line := &accessLine{id: id}
	ctx = context.WithValue(ctx, lineKey{}, line)
	r = r.WithContext(ctx)
	rec := &recorder{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			a.recovered(rec, r, p)
		}
		line.write(a.logger, r, rec, a.now().Sub(start))
	}()
	if err := a.serve(rec, r); err != nil {
		a.fault(rec, r, err)
	}
}

// recovered answers for a handler that panicked, if nothing was sent yet.
func (a *API) recovered(w *recorder, r *http.Request, p any) {
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if w.status == 0 {
		a.fault(w, r, err)
		return
	}
	a.logger.ErrorContext(r.Context(), "request failed after its answer",
		slog.String("request_id", RequestID(r.Context())), slog.String("error", err.Error()))
}

func (a *API) serve(w *recorder, r *http.Request) error {
	handler, unmatched := a.match(r)
	if _, ok := handler.(document); ok {
		handler.ServeHTTP(w, r)
		return nil
	}
	// What lies outside the API does not exist for anybody.
	if unmatched != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
		return unmatched
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	ctx := r.Context()
	version, err := negotiate(r.Header)
	if err == nil {
		announce(w.Header(), version)
	}
	id, authErr := a.authenticate(ctx, r)
	switch {
	case authErr != nil:
		return authErr
	case unmatched != nil:
		return unmatched
	case err != nil:
		return err
	}
	ctx = context.WithValue(ctx, identityKey{}, id)
	ctx = context.WithValue(ctx, versionKey{}, version)
	a.mux.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// match finds the handler of a request, or says why there is none. The mux would
// answer in plain text, and redirect paths that are not clean.
func (a *API) match(r *http.Request) (http.Handler, error) {
	missing := karbor.Errorf(karbor.NotFound, "The resource could not be found.")
	if p := r.URL.EscapedPath(); p != "/" && p != path.Clean(p) && p != path.Clean(p)+"/" {
		return nil, missing
	}
	handler, _ := a.mux.Handler(r)
	switch h := handler.(type) {
	case *bound, document:
		return h, nil
	}
	probe := &probe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		return nil, &methodNotAllowedError{method: r.Method, allow: probe.header.Get("Allow")}
	}
	return nil, missing
}

// authenticate validates the token of a request.
func (a *API) authenticate(ctx context.Context, r *http.Request) (*karbor.Identity, error) {
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return nil, karbor.Errorf(karbor.Unauthorized, "The request you have made requires authentication.")
	}
	id, err := a.authenticator.Validate(ctx, karbor.Secret(token))
	switch {
	case karbor.KindOf(err) == karbor.Unauthorized && err != nil:
		return nil, karbor.Errorf(karbor.Unauthorized, "The request you have made requires authentication: the token is not valid, or no more.")
	case err != nil:
		return nil, fmt.Errorf("validating the token: %w", err)
	case id == nil:
		return nil, errors.New("validating the token gave nobody")
	}
	if line, ok := ctx.Value(lineKey{}).(*accessLine); ok {
		line.identity = id
	}
	return id, nil
}
