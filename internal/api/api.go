package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api/admission"
	"github.com/karbor/karbor/internal/api/health"
	"github.com/karbor/karbor/internal/openstack"
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
	// Allowed is Check without words.
	Allowed(rule string, id *karbor.Identity, target policy.Target) bool
	// Crosses reports whether the rule holds for the things of every project, and
	// ListsAll whether a list may show them.
	Crosses(rule string, id *karbor.Identity) bool
	ListsAll(rule string, id *karbor.Identity) bool
}

var _ Enforcer = (*policy.Enforcer)(nil)

// ServiceAuthenticator is an Authenticator that also knows service tokens.
type ServiceAuthenticator interface {
	Authenticator
	// ValidateFor is Validate of a token that another service hands on, which
	// proves itself by a token of its own.
	ValidateFor(ctx context.Context, token, service karbor.Secret) (*karbor.Identity, error)
}

var _ ServiceAuthenticator = (*openstack.Authority)(nil)

// Options are what an API is made of. Those before PublicURL are required.
type Options struct {
	Routes        []Route
	Authenticator Authenticator
	Policy        Enforcer
	Logger        *slog.Logger
	// AuthURL is Keystone's public address, for the WWW-Authenticate header.
	AuthURL string
	// Now is the clock, for the duration in the access line, and for rates.
	Now func() time.Time
	// PublicURL is the address at which clients reach the service, without
	// /v1; where it is empty, links are built from what the request came to.
	PublicURL string
	// Limits bound what requests may take.
	Limits Limits
	// Replays remembers requests with an Idempotency-Key, under the name of Owner,
	// which no other process has that runs; nil refuses such requests.
	Replays Replays
	Owner   string
	// ReplayKey is the secret under which Replays keep the digests of bodies.
	ReplayKey []byte
	// Proxies are the networks of the proxies that are believed when they say, in
	// Forwarded or X-Forwarded headers, where a request came from.
	Proxies []netip.Prefix
	// NoAccessLog leaves the line for each request out of the log.
	NoAccessLog bool
	// Health is served at /healthcheck; nil always says OK.
	Health *health.Board
	// HealthSources are the networks whose hosts may see the checks of Health one by
	// one, beside administrators. A request that came through a proxy is judged by
	// its client.
	HealthSources []netip.Prefix
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
	document      []byte
	limits        Limits
	gate          gate
	streams       *streams
	places        *admission.Places
	rates         *rates
	proxies       proxies
	noAccessLog   bool
	health        *health.Board
	healthSources proxies
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
		replays:       newReplays(o),
		limits:        o.Limits.orDefaults(),
		rates:         newRates(o.Limits, o.Now),
		proxies:       o.Proxies,
		noAccessLog:   o.NoAccessLog,
		health:        o.Health,
		healthSources: o.HealthSources,
	}
	if a.health == nil {
		a.health = health.New(health.Options{Now: o.Now, Logger: o.Logger})
	}
	a.gate.limit = int64(a.limits.InFlight)
	a.streams = newStreams(a.limits.InFlight)
	network, err := admission.OpenNetwork()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	a.places = admission.New(admission.Options{Places: a.limits.Working, Look: network.Look, Now: o.Now})
	a.mux.Handle("GET "+health.Path, document(a.serveHealth))
	a.mux.Handle("GET /{$}", document(a.serveVersions))
	a.mux.Handle("GET /v1", document(a.serveVersion))
	a.mux.Handle("GET /v1/{$}", document(a.serveVersion))
	a.mux.Handle("GET "+documentPath, document(a.serveDocument))
	seen := map[string]bool{}
	for _, r := range o.Routes {
		pattern := r.Method + " " + projectPath + r.Pattern
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
	a.document, err = Document(o.Routes)
	return a, err
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
	line := &accessLine{id: id, origin: a.proxies.origin(r)}
	ctx = context.WithValue(ctx, lineKey{}, line)
	// What the cloud is asked for carries the caller's global id, or else ours.
	line.global = r.Header.Get(requestIDHeader)
	if isGlobalID(line.global) {
		ctx = openstack.WithRequestID(ctx, line.global)
	} else {
		line.global = ""
		ctx = openstack.WithRequestID(ctx, id)
	}
	r = r.WithContext(ctx)
	rec := &recorder{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			a.recovered(rec, r, p)
		}
		if !a.noAccessLog && (r.URL.Path != health.Path || rec.status != http.StatusOK) {
			line.write(a.logger, r, rec, a.now().Sub(start))
		}
	}()
	if err := a.admit(rec, r); err != nil {
		a.fault(rec, r, err)
	}
}

// admit lets a request in if it is of a bearable size and there is a place for it.
// Whether the service is well can always be asked.
func (a *API) admit(w *recorder, r *http.Request) error {
	if err := checkHeader(r, a.limits.Header); err != nil {
		return err
	}
	if r.URL.Path == health.Path {
		return a.serve(w, r)
	}
	if err := a.gate.enter(); err != nil {
		return err
	}
	defer a.gate.leave()
	return a.serve(w, r)
}

// healthRule is the policy rule for the checks one by one: who may list the service's
// processes may see how they are.
const healthRule = "service:get_all"

// serveHealth answers GET /healthcheck.
func (a *API) serveHealth(w http.ResponseWriter, r *http.Request) {
	details := a.healthSources.has(originOf(r.Context()).client)
	if !details && r.Header.Get("X-Auth-Token") != "" {
		id, err := a.authenticate(r.Context(), r)
		details = err == nil && a.policy.Allowed(healthRule, id, policy.Target{ProjectID: id.ProjectID})
	}
	a.health.Serve(w, r, details)
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
	version, err := negotiate(r.Header)
	known := version
	if err != nil {
		known = MaxVersion // what is wrong is said below
	}
	handler, unmatched := a.match(r, known)
	if _, ok := handler.(document); ok {
		handler.ServeHTTP(w, r)
		return nil
	}
	// What lies outside the API does not exist for anybody.
	if unmatched != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
		return unmatched
	}
	r.Body = http.MaxBytesReader(w, r.Body, a.limits.Body)
	ctx := r.Context()
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
	if err := a.rates.take(id.ProjectID); err != nil {
		return err
	}
	ctx = context.WithValue(ctx, identityKey{}, id)
	ctx = context.WithValue(ctx, versionKey{}, version)
	a.mux.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// match finds the handler of a request in a version, or says why there is none. The mux
// would answer in plain text, and redirect paths that are not clean.
func (a *API) match(r *http.Request, version Version) (http.Handler, error) {
	missing := karbor.Errorf(karbor.NotFound, "The resource could not be found.")
	if p := r.URL.EscapedPath(); p != "/" && p != path.Clean(p) && p != path.Clean(p)+"/" {
		return nil, missing
	}
	handler, _ := a.mux.Handler(r)
	if servedIn(handler, version) {
		return handler, nil
	}
	if allow := a.allowed(r, version); allow != "" {
		return nil, &methodNotAllowedError{method: r.Method, allow: allow}
	}
	if b, ok := handler.(*bound); ok {
		return nil, karbor.Errorf(karbor.NotFound, "The resource could not be found in version %s of the API; it came with %s.", version, b.Since)
	}
	return nil, missing
}

// servedIn reports whether a handler is one of ours that a version has.
func servedIn(h http.Handler, version Version) bool {
	switch h := h.(type) {
	case *bound:
		return version >= h.Since
	case document:
		return true
	}
	return false
}

// allowed gives the methods that the path of a request takes in a version, as the
// header Allow has them (RFC 9110, section 10.2.1); "" for none.
func (a *API) allowed(r *http.Request, version Version) string {
	var methods []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		other := r.WithContext(r.Context())
		other.Method = method
		if h, _ := a.mux.Handler(other); servedIn(h, version) {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

// authenticate validates the token of a request.
func (a *API) authenticate(ctx context.Context, r *http.Request) (*karbor.Identity, error) {
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return nil, karbor.Errorf(karbor.Unauthorized, "The request you have made requires authentication.")
	}
	id, err := a.validate(ctx, r, karbor.Secret(token))
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
	return id, checkRules(id, r)
}

func (a *API) validate(ctx context.Context, r *http.Request, token karbor.Secret) (*karbor.Identity, error) {
	service := r.Header.Get("X-Service-Token")
	if s, ok := a.authenticator.(ServiceAuthenticator); ok && service != "" {
		return s.ValidateFor(ctx, token, karbor.Secret(service))
	}
	return a.authenticator.Validate(ctx, token)
}

// checkRules keeps the token of an application credential to its access rules. What
// another service hands on is a part of a request that was checked at its start.
func checkRules(id *karbor.Identity, r *http.Request) error {
	if id.AccessRules == nil || id.FromService {
		return nil
	}
	for _, rule := range id.AccessRules {
		if rule.Allows(serviceType, r.Method, r.URL.Path) {
			return nil
		}
	}
	return karbor.Errorf(karbor.Forbidden, "The access rules of the application credential do not allow %s %s.", quote(r.Method), quote(r.URL.Path))
}
