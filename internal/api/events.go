package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/policy"
)

// Events is the answer of a route with Stream set: events that come as they happen
// (server-sent events: WHATWG HTML, section 9.2). It is called once, when the request
// has left the place at which it was worked on, and runs until it returns or ctx ends:
// because the client has gone, the caller's token has expired or is refused, or the
// process ends. send
// sends one event with v as JSON; with an empty name it sends a comment, which keeps
// the connection alive. After an error of send it returns.
type Events func(ctx context.Context, send func(name string, v any) error) error

const (
	// MaxStreams is how many streams of events there are at a time, and
	// maxProjectStreams how many of one project; each holds a place of those in flight.
	MaxStreams        = 64
	maxProjectStreams = 16
	// eventTimeout is how long a client may take to take an event.
	eventTimeout = 30 * time.Second
	// recheckInterval is how often the caller of a stream is checked again. It costs
	// little: an Authenticator remembers what Keystone said.
	recheckInterval = time.Minute
)

// The reasons for which a stream ends though there is more to tell, as the client reads
// them.
var (
	errTokenExpired = errors.New("the token has expired")
	errRefused      = errors.New("the token is not valid any more, or its user may not see this any more")
	errClosing      = errors.New("the service stops")
)

// streams counts the streams of events. It is safe for concurrent use.
type streams struct {
	most, mostOfOne int
	closing         chan struct{}
	close           func()

	mu      sync.Mutex
	open    int
	project map[string]int
}

func newStreams(inFlight int) *streams {
	s := &streams{most: max(1, min(MaxStreams, inFlight/4)), closing: make(chan struct{}), project: map[string]int{}}
	s.mostOfOne = min(s.most, maxProjectStreams)
	s.close = sync.OnceFunc(func() { close(s.closing) })
	return s
}

// enter takes a place for a stream of a project.
func (s *streams) enter(project string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.most || s.project[project] >= s.mostOfOne {
		return nil, karbor.Errorf(karbor.TooMany, "There are as many streams of events as there may be; look from time to time, or try again later.")
	}
	s.open++
	s.project[project]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		if s.project[project]--; s.project[project] == 0 {
			delete(s.project, project)
		}
	}, nil
}

// EndStreams ends the streams of events, and lets no more begin: they would keep the
// process from its end.
func (a *API) EndStreams() { a.streams.close() }

// stream answers with events, to whom the policy rule lets see them.
func (a *API) stream(w http.ResponseWriter, r *http.Request, rule string, events Events) error {
	id := identityOf(r.Context())
	leave, err := a.streams.enter(id.ProjectID)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if !id.ExpiresAt.IsZero() {
		expiry := time.AfterFunc(id.ExpiresAt.Sub(a.now()), func() { cancel(errTokenExpired) })
		defer expiry.Stop()
	}
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel(nil)
	watch.Go(func() {
		select {
		case <-a.streams.closing:
			cancel(errClosing)
		case <-ctx.Done():
		}
	})
	watch.Go(func() {
		if a.refused(ctx, r, rule) {
			cancel(errRefused)
		}
	})
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	// Proxies must not gather events.
	h.Set("X-Accel-Buffering", "no")
	s := &sender{w: w, control: http.NewResponseController(w), now: a.now}
	// What the request itself might take is over; a test's writer knows no deadlines.
	_ = s.control.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	err = events(ctx, s.send)
	if cause := context.Cause(ctx); errors.Is(cause, errTokenExpired) || errors.Is(cause, errRefused) || errors.Is(cause, errClosing) {
		_ = s.send("close", map[string]string{"reason": cause.Error()})
		return nil
	}
	if err != nil && ctx.Err() == nil && s.failed == nil {
		a.logger.WarnContext(ctx, "a stream of events ended early",
			slog.String("request_id", RequestID(ctx)), slog.String("error", err.Error()))
		_ = s.send("close", map[string]string{"reason": karbor.Sentence(err)})
	}
	return nil // the answer has begun: there is no other way to say what is wrong
}

// refused checks the caller of a stream from time to time, as if the request came again.
// It waits until the caller is refused, or ctx ends. That Keystone is away is no refusal:
// the token ends by itself.
func (a *API) refused(ctx context.Context, r *http.Request, rule string) bool {
	was := identityOf(ctx)
	crossed := a.policy.Crosses(rule, was)
	clock := time.NewTicker(recheckInterval)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-clock.C:
		}
		id, err := a.authenticate(ctx, r)
		if err == nil {
			err = a.policy.Check(ctx, rule, id, policy.Target{ProjectID: was.ProjectID, UserID: id.UserID})
		}
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil && karbor.KindOf(err) != karbor.Unavailable:
			return true
		// What is followed may be another project's.
		case err == nil && crossed && !a.policy.Crosses(rule, id):
			return true
		}
	}
}

// sender sends events.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
	// failed is why nothing can be sent any more.
	failed error
}

func (s *sender) send(name string, v any) error {
	if s.failed != nil {
		return s.failed
	}
	text := ":\n\n"
	if name != "" {
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encoding an event: %w", err)
		}
		text = "event: " + name + "\ndata: " + string(data) + "\n\n"
	}
	_ = s.control.SetWriteDeadline(s.now().Add(eventTimeout))
	if _, s.failed = s.w.Write([]byte(text)); s.failed == nil {
		if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			s.failed = err
		}
	}
	return s.failed
}
