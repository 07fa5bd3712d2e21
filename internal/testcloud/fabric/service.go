package fabric

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Service routes one service's requests. Patterns are those of
// [http.ServeMux] with the full path, such as
// "GET /compute/v2.1/servers/{id}", and no slash at the end: a request's
// trailing slash is dropped before its route is sought.
type Service struct {
	fab   *Fabric
	name  string
	style Style
	micro *Microversions
	mux   *http.ServeMux
	open  map[string]bool
}

// NewService makes a service without routes. name is what faults and counts
// know it by; micro is nil for a service without microversions.
func NewService(f *Fabric, name string, style Style, micro *Microversions) *Service {
	return &Service{fab: f, name: name, style: style, micro: micro, mux: http.NewServeMux(), open: map[string]bool{}}
}

// Handler answers a request. When it gives an error it must not have written
// anything. An error that is no *Error is answered with 500 and its text.
type Handler func(r *Request) error

// Handle adds a route for requests with a good token.
func (s *Service) Handle(pattern string, h Handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		r := w.(*answer).request
		r.Request = req
		if err := h(r); err != nil {
			s.fail(w, err)
		}
	})
}

// HandleOpen adds a route that needs no token. The request's identity is the
// zero one if it has no good token.
func (s *Service) HandleOpen(pattern string, h Handler) {
	s.open[pattern] = true
	s.Handle(pattern, h)
}

func (s *Service) fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		s.fab.Log.Error("answering a request failed", "service", s.name, "error", err)
		e = Errorf(http.StatusInternalServerError, "%s", err.Error())
	}
	e.write(w, s.style)
}

// ServeHTTP does the walk of each request: id, identity, fault, microversion,
// route.
func (s *Service) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if path := req.URL.Path; len(path) > 1 && strings.HasSuffix(path, "/") {
		req = req.Clone(req.Context())
		req.URL.Path, req.URL.RawPath = strings.TrimRight(path, "/"), ""
	}
	r := &Request{Request: req, fab: s.fab, ID: "req-" + NewID()}
	out := &answer{ResponseWriter: w, request: r, left: -1}
	r.W = out
	w.Header().Set("X-Openstack-Request-Id", r.ID)
	if s.style == KeystoneStyle {
		w.Header().Set("Vary", "X-Auth-Token")
	}
	var known bool
	r.Identity, known = s.fab.Authenticate(req.Header.Get("X-Auth-Token"))
	_, pattern := s.mux.Handler(req)
	s.fab.requests.add(s.name + " " + routeName(req, pattern))
	if a := s.fab.Faults.request(s.name, req.Method, req.URL.Path, r.ProjectID); a != nil && s.disturb(out, r, a) {
		return
	}
	if !known && !s.open[pattern] && s.style != KeystoneStyle && s.fab.forbids(req.Header.Get("X-Auth-Token")) {
		Errorf(http.StatusServiceUnavailable, "The Keystone service is temporarily unavailable.<br /><br />\n\n\n").write(out, s.style)
		return
	}
	if !known && !s.open[pattern] {
		unauthorized(s.style, s.fab.Base()+"/v3").write(out, s.style)
		return
	}
	if s.micro != nil {
		v, err := s.micro.choose(w.Header(), req.Header)
		if err != nil {
			s.fail(out, err)
			return
		}
		r.Version = v
	}
	if pattern == "" {
		s.noRoute(out)
		return
	}
	s.mux.ServeHTTP(out, req)
	if out.lost {
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to close the connection
	}
}

// noRoute is the answer to a path that isn't served; Nova and Cinder give a
// page where they give JSON for a missing thing.
func (s *Service) noRoute(w http.ResponseWriter) {
	style := s.style
	if style == ComputeStyle {
		style = GlanceStyle
	}
	NotFound("The resource could not be found.").write(w, style)
}

func routeName(req *http.Request, pattern string) string {
	if pattern == "" {
		return req.Method + " ?"
	}
	if !strings.Contains(pattern, " ") {
		return req.Method + " " + pattern
	}
	return pattern
}

// disturb does what a fault wants and tells whether the request is answered.
// It panics with http.ErrAbortHandler to close the connection, which is what
// that value is for.
func (s *Service) disturb(w *answer, r *Request, a *action) bool {
	s.wait(r, a, time.Duration(a.Delay))
	switch a.Answer {
	case AnswerHang:
		s.wait(r, a, -1)
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to close the connection
	case AnswerClose:
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to close the connection
	case AnswerLose:
		w.left, w.lost = 0, true
		return false
	case AnswerCut:
		w.left = max(0, a.CutAfter)
		return false
	}
	if a.Status == 0 {
		return false
	}
	message := a.Message
	if message == "" {
		message = "The test cloud was asked to answer so."
	}
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	Errorf(a.Status, "%s", message).write(w, s.style)
	return true
}

// wait waits for d (negative: without end), or until the client has gone, the
// fault is removed, or the cloud is closed.
func (s *Service) wait(r *Request, a *action, d time.Duration) {
	if d == 0 {
		return
	}
	var timeout <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-timeout:
	case <-r.Context().Done():
	case <-a.removed:
	case <-s.fab.Clock.Done():
	}
}
