package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor"
)

// Microversion is the newest one that this client understands. It is asked for with
// every request; a service that is older is asked for its own newest one.
const Microversion = "1.8"

// maxAnswer is how many bytes of one answer are read. A page of 1000 items is
// far below it.
const maxAnswer = 64 << 20

// Tokens gives the tokens of one user in one project.
type Tokens interface {
	// Token gives a token that is good as far as is known.
	Token(ctx context.Context) (karbor.Secret, error)
	// Renew gives a new token in place of one that was refused.
	Renew(ctx context.Context, refused karbor.Secret) (karbor.Secret, error)
}

// Options are what a client needs.
type Options struct {
	// Endpoint is the service's URL with version and project, such as
	// http://karbor.example.org:8799/v1/PROJECT. Required.
	Endpoint string
	// Tokens gives the tokens. Required.
	Tokens Tokens
	// HTTP does the requests. Required.
	HTTP *http.Client
	// Timeout is how long one request may take, its body included; 60 s if 0.
	Timeout time.Duration
	// Attempts is how often a GET or a create is tried in all; 4 if 0.
	Attempts int
	// Pause waits before another attempt; a wait on the real clock if nil. It
	// returns early, with the context's error, when the context ends.
	Pause func(ctx context.Context, d time.Duration) error
	// UserAgent is sent with every request; "karbor-client" if empty.
	UserAgent string
}

// Client is a session with one Karbor service in one project.
type Client struct {
	options  Options
	endpoint *url.URL
	// spoken is the microversion of a service that is older than this client.
	spoken atomic.Pointer[string]
	// knowsKeys is set once an answer has told that the service is ours, and heeds
	// the Idempotency-Key.
	knowsKeys atomic.Bool

	// Plans, Providers and so on are the resources of the API.
	Plans                  *Plans
	Providers              *Providers
	Protectables           *Protectables
	Checkpoints            *Checkpoints
	Restores               *Restores
	OperationLogs          *OperationLogs
	ApplicationCredentials *ApplicationCredentials
	Verifications          *Verifications
	Drills                 *Drills
	Copies                 *Copies
	Quotas                 *Quotas
	QuotaClasses           *QuotaClasses
	Triggers               *Triggers
	MappingProfiles        *MappingProfiles
	TemporaryResources     *TemporaryResources
	ScheduledOperations    *ScheduledOperations
	Services               *Services
	Operations             *Operations
}

// New makes a client. It sends nothing yet. An endpoint that is not an absolute
// http or https URL is an Invalid error.
func New(o Options) (*Client, error) {
	endpoint, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, karbor.Errorf(karbor.Invalid, "the endpoint %q of the data-protect service is not an http or https URL", o.Endpoint)
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Attempts <= 0 {
		o.Attempts = 4
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	if o.UserAgent == "" {
		o.UserAgent = "karbor-client"
	}
	c := &Client{options: o, endpoint: endpoint}
	c.Plans = &Plans{c}
	c.Providers = &Providers{c}
	c.Protectables = &Protectables{c}
	c.Checkpoints = &Checkpoints{c}
	c.Restores = &Restores{c}
	c.OperationLogs = &OperationLogs{c}
	c.ApplicationCredentials = &ApplicationCredentials{c}
	c.Verifications = &Verifications{c}
	c.Drills = &Drills{c}
	c.Copies = &Copies{c}
	c.Quotas = &Quotas{c}
	c.QuotaClasses = &QuotaClasses{c}
	c.Triggers = &Triggers{c}
	c.MappingProfiles = &MappingProfiles{c}
	c.TemporaryResources = &TemporaryResources{c}
	c.ScheduledOperations = &ScheduledOperations{c}
	c.Services = &Services{c}
	c.Operations = &Operations{c}
	return c, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// call is one request.
type call struct {
	method string
	// path is below the endpoint and already escaped.
	path  string
	query url.Values
	body  any
	// key is the Idempotency-Key of a create.
	key string
	// what says what is being done, for errors.
	what string
}

// do runs the call and decodes the answer into out, if out is not nil.
func (c *Client) do(ctx context.Context, r call, out any) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("%s: encoding the request: %w", r.what, err)
		}
	}
	answer, err := c.attempts(ctx, r, body)
	if err != nil {
		return fmt.Errorf("%s: %w", r.what, err)
	}
	return decode(r, answer, out)
}

// authenticated sends the request, and once more with a new token if the first
// one is refused.
func (c *Client) authenticated(ctx context.Context, r call, body []byte) ([]byte, error) {
	token, err := c.options.Tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := c.send(ctx, r, body, token)
	if statusOf(err) != http.StatusUnauthorized {
		return answer, err
	}
	if token, err = c.options.Tokens.Renew(ctx, token); err != nil {
		return nil, err
	}
	return c.send(ctx, r, body, token)
}

func (c *Client) send(ctx context.Context, r call, body []byte, token karbor.Secret) ([]byte, error) {
	target := c.endpoint.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("X-Auth-Token", token.Reveal())
	req.Header.Set(microversionHeader, serviceType+" "+c.microversion())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set(idempotencyHeader, r.key)
	}
	answer, headers, err := c.exchange(req)
	if strings.HasPrefix(headers.Get(microversionHeader), serviceType) {
		c.knowsKeys.Store(true)
	}
	return answer, err
}

// exchange sends one request and reads its answer. The headers are nil if there was
// none.
func (c *Client) exchange(req *http.Request) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.options.Timeout)
	defer cancel()
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.options.UserAgent)
	res, err := c.options.HTTP.Do(req.WithContext(ctx))
	if err != nil {
		return nil, nil, unreachable(c.endpoint.Host, err)
	}
	defer func() { _ = res.Body.Close() }() // what matters was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, res.Header, unreachable(c.endpoint.Host, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, res.Header, refusal(res, answer)
	}
	return answer, res.Header, nil
}

// escape makes one path segment of an id or type.
func escape(segment string) string { return url.PathEscape(segment) }
