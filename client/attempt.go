package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	idempotencyHeader  = "Idempotency-Key"
	microversionHeader = "OpenStack-API-Version"
	serviceType        = "data-protect"
)

// keyOf is the key of the Idempotency-Key in a context.
type keyOf struct{}

// WithIdempotencyKey gives a context in which Create sends key, 1 to 255 printable
// ASCII characters, in place of a random one. The service answers the same user's
// same request with the same key as it did the first time, for 24 hours, and does
// nothing twice; so a program that may be started again can name what it creates.
// Use a key for one request only: with another body it is an Invalid error.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyOf{}, key)
}

// idempotencyKey gives the key of a create, the same for all its attempts.
func idempotencyKey(ctx context.Context) string {
	if key, ok := ctx.Value(keyOf{}).(string); ok && key != "" {
		return key
	}
	return uuid.NewString()
}

// attempts runs the call until it succeeds or another attempt makes no sense.
func (c *Client) attempts(ctx context.Context, r call, body []byte) ([]byte, error) {
	wait := 250 * time.Millisecond
	left := 1
	if r.method == http.MethodGet || r.key != "" {
		left = c.options.Attempts
	}
	for {
		answer, err := c.negotiated(ctx, r, body)
		left--
		if err == nil || left == 0 || !passing(err) || ctx.Err() != nil {
			return answer, err
		}
		if c.options.Pause(ctx, pauseAfter(err, wait)) != nil {
			return nil, err
		}
		if !c.repeatable(ctx, r) {
			return nil, err
		}
		wait = min(2*wait, 4*time.Second)
	}
}

// longestPause bounds what the service may ask for in Retry-After.
const longestPause = 10 * time.Second

// pauseAfter gives how long to wait after err: what the service asks for, within
// reason, but at least wait.
func pauseAfter(err error, wait time.Duration) time.Duration {
	return max(wait, min(retryAfter(err), longestPause))
}

// repeatable reports whether a GET or a create may be sent again: a create if the
// service heeds the Idempotency-Key. The original Karbor does not, and would create
// twice; ours names itself in the headers of its answers.
func (c *Client) repeatable(ctx context.Context, r call) bool {
	if r.method == http.MethodGet {
		return true
	}
	if !c.knowsKeys.Load() {
		// Any answer tells; its status does not matter.
		_, _ = c.authenticated(ctx, call{method: http.MethodGet, path: "/providers", query: url.Values{"limit": {"1"}}}, nil)
	}
	return c.knowsKeys.Load()
}

// negotiated sends the request, and once more with an older microversion if the
// service is older than this client.
func (c *Client) negotiated(ctx context.Context, r call, body []byte) ([]byte, error) {
	answer, err := c.authenticated(ctx, r, body)
	if err == nil || statusOf(err) != http.StatusNotAcceptable || !c.settle(ctx) {
		return answer, err
	}
	return c.authenticated(ctx, r, body)
}

// settle asks for the service's newest microversion, and reports whether it is
// another than was asked for.
func (c *Client) settle(ctx context.Context) bool {
	root := *c.endpoint
	root.Path = root.Path[:strings.LastIndexByte(root.Path, '/')+1]
	root.RawPath = ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, root.String(), nil)
	if err != nil {
		return false
	}
	text, _, err := c.exchange(req)
	if err != nil {
		return false
	}
	var document struct {
		Version struct {
			Newest string `json:"max_version"`
		} `json:"version"`
	}
	newest := ""
	if json.Unmarshal(text, &document) == nil {
		newest = document.Version.Newest
	}
	if newest == "" || newest == c.microversion() {
		return false
	}
	c.spoken.Store(&newest)
	return true
}

// microversion gives the one that is asked for.
func (c *Client) microversion() string {
	if v := c.spoken.Load(); v != nil {
		return *v
	}
	return Microversion
}

// create runs a POST whose answer is an item under key, tried again as a GET is.
func create[T any](ctx context.Context, c *Client, r call, key string) (T, error) {
	r.method, r.key = http.MethodPost, idempotencyKey(ctx)
	return one[T](ctx, c, r, key)
}

// decode reads an answer into out, if out is not nil.
func decode(r call, answer []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: the service's answer can't be read: %w", r.what, err)
	}
	return nil
}
