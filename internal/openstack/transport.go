package openstack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/karbor/karbor"
)

const (
	userAgent       = "karbor"
	requestIDHeader = "X-Openstack-Request-Id"
	tokenHeader     = "X-Auth-Token"

	serviceTokenHeader = "X-Service-Token"
	// attempts is how often a harmless request is sent in all.
	attempts = 4
	// A service that asks for a longer pause than this gets its answer told on
	// instead, so that the caller can decide.
	longestPause = 30 * time.Second
	// drainLimit is how much of an unwanted answer is read to keep a connection.
	drainLimit = 64 << 10
)

type requestIDKey struct{}

// WithRequestID gives a context whose requests carry id as their global request
// id, so that the logs of all services can be joined. id has the form "req-" and a
// UUID; others are left out.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID gives the id that WithRequestID has put into ctx, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

type replayableKey struct{}

// replayable marks a request that does no harm when sent twice, though it is no GET.
func replayable(ctx context.Context) context.Context {
	return context.WithValue(ctx, replayableKey{}, true)
}

// transport sends requests with time-outs and harmless retries. It adds no token.
type transport struct {
	base    http.RoundTripper
	own     *http.Transport // base, if it was made here
	timeout time.Duration
	idle    time.Duration
	now     func() time.Time
	// firstPause is the pause before the second attempt.
	firstPause time.Duration
}

func newTransport(o Options) (*transport, error) {
	t := &transport{
		timeout: o.Timeout, idle: o.IdleTimeout, now: o.Now,
		firstPause: 250 * time.Millisecond,
	}
	if t.timeout <= 0 {
		t.timeout = 60 * time.Second
	}
	if t.idle <= 0 {
		t.idle = 60 * time.Second
	}
	if o.HTTP != nil && o.HTTP.Transport != nil {
		t.base = o.HTTP.Transport
		return t, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if len(o.CACert) > 0 && !pool.AppendCertsFromPEM(o.CACert) {
		return nil, karbor.Errorf(karbor.Invalid, "the CA certificates hold no certificate in PEM form")
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t.own = &http.Transport{
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	t.base = t.own
	return t, nil
}

// abroad gives the way to other clouds. One that was handed in and is none of package
// net/http can't be kept from where it must not go.
func (t *transport) abroad(reach *Reach, resolver *net.Resolver) *transport {
	base, ok := t.base.(*http.Transport)
	if !ok || reach == nil {
		return nil
	}
	other := *t
	g := newGuard(reach, base, resolver)
	other.base, other.own = g, g.way
	return &other
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	defer rest(req.Context())()
	for attempt := 1; ; attempt++ {
		try, err := t.prepare(req, attempt)
		if err != nil {
			return nil, err
		}
		resp, err := t.once(try)
		pause, again := t.again(req, resp, err, attempt)
		if !again {
			return resp, err
		}
		drain(resp)
		if err := sleep(req.Context(), pause); err != nil {
			return nil, err
		}
	}
}

// prepare gives the request to send now: a copy, with the body from its start.
func (t *transport) prepare(req *http.Request, attempt int) (*http.Request, error) {
	ctx := req.Context()
	try := req.Clone(ctx)
	if attempt > 1 && req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		try.Body = body
	}
	try.Header.Set("User-Agent", userAgent)
	if id, ok := ctx.Value(requestIDKey{}).(string); ok && len(id) == 40 && id[:4] == "req-" && karbor.IsUUID(id[4:]) {
		try.Header.Set(requestIDHeader, id)
	}
	return try, nil
}

// once sends the request a single time, under the watch of its time-outs.
func (t *transport) once(req *http.Request) (*http.Response, error) {
	transfer := isTransfer(req.Context())
	limit := t.timeout
	if transfer {
		limit = t.idle
	}
	w := newWatch(req.Context(), limit)
	req = req.WithContext(w.ctx) //nolint:contextcheck // the watch's context is made of the request's
	if transfer && req.Body != nil && req.Body != http.NoBody {
		req.Body = &sentBody{ReadCloser: req.Body, watch: w}
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		err = w.explain(err)
		w.stop()
		return nil, err
	}
	body := &receivedBody{ReadCloser: resp.Body, watch: w, left: maxAnswer}
	if transfer && resp.StatusCode < http.StatusMultipleChoices {
		body.transfer, body.left = true, math.MaxInt64
		w.pause() // until somebody reads
	}
	if list, ok := req.Context().Value(listKey{}).(*listed); ok && !transfer {
		body.list, body.left = list, min(list.page, list.left)
	}
	resp.Body = body
	return resp, nil
}

// again tells whether to send the request once more, and after which pause.
func (t *transport) again(req *http.Request, resp *http.Response, err error, attempt int) (time.Duration, bool) {
	if attempt >= attempts || req.Context().Err() != nil || errors.Is(err, errBeyond) {
		return 0, false
	}
	noBody := req.Body == nil || req.Body == http.NoBody
	if !noBody && req.GetBody == nil {
		return 0, false
	}
	harmless := req.Method == http.MethodGet || req.Method == http.MethodHead || req.Context().Value(replayableKey{}) != nil
	pause := t.firstPause << (attempt - 1)
	pause += time.Duration(rand.Int64N(int64(pause)/2 + 1))
	if err != nil {
		return pause, neverSent(err) || harmless && !isTimeout(err)
	}
	if !harmless {
		return 0, false
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if asked, ok := t.retryAfter(resp); ok {
		return asked, asked <= longestPause
	}
	return pause, true
}

// retryAfter reads a Retry-After header (RFC 9110, 10.2.3).
func (t *transport) retryAfter(resp *http.Response) (time.Duration, bool) {
	text := resp.Header.Get("Retry-After")
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(t.now())), true
	}
	return 0, false
}

// neverSent reports that no byte of the request has left: it could not connect.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func drain(resp *http.Response) {
	if resp == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	_ = resp.Body.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// noForeignRedirect follows a redirect only on the same host and not out of TLS:
// the token goes along.
func noForeignRedirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) >= 5 || req.URL.Host != first.Host || first.Scheme == "https" && req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	return nil
}
