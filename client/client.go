package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Microversion is the newest one that this client understands. It is asked for
// where an answer has more members with it.
const Microversion = "1.2"

// microversionHeader is the header that asks for a microversion.
const microversionHeader = "OpenStack-API-Version"

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
	// Attempts is how often a GET is tried in all; 4 if 0.
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

	// Plans, Providers and so on are the resources of the API.
	Plans                  *Plans
	Providers              *Providers
	Protectables           *Protectables
	Checkpoints            *Checkpoints
	Restores               *Restores
	OperationLogs          *OperationLogs
	ApplicationCredentials *ApplicationCredentials
	Verifications          *Verifications
	Copies                 *Copies
	Quotas                 *Quotas
	QuotaClasses           *QuotaClasses
	Triggers               *Triggers
	ScheduledOperations    *ScheduledOperations
	Services               *Services
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
	c.Copies = &Copies{c}
	c.Quotas = &Quotas{c}
	c.QuotaClasses = &QuotaClasses{c}
	c.Triggers = &Triggers{c}
	c.ScheduledOperations = &ScheduledOperations{c}
	c.Services = &Services{c}
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
	// versioned asks for the newest microversion.
	versioned bool
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
	attempts := 1
	if r.method == http.MethodGet {
		attempts = c.options.Attempts
	}
	wait := 250 * time.Millisecond
	for {
		answer, err := c.authenticated(ctx, r, body)
		attempts--
		if err == nil {
			return decode(r, answer, out)
		}
		if attempts == 0 || !passing(err) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		if c.options.Pause(ctx, wait) != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		wait = min(2*wait, 4*time.Second)
	}
}

func decode(r call, answer []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: the service's answer can't be read: %w", r.what, err)
	}
	return nil
}

// authenticated sends the request, and once more with a new token if the first
// one is refused.
func (c *Client) authenticated(ctx context.Context, r call, body []byte) ([]byte, error) {
	token, err := c.options.Tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := c.send(ctx, r, body, token)
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUnauthorized {
		return answer, err
	}
	if token, err = c.options.Tokens.Renew(ctx, token); err != nil {
		return nil, err
	}
	return c.send(ctx, r, body, token)
}

func (c *Client) send(ctx context.Context, r call, body []byte, token karbor.Secret) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	target := c.endpoint.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("X-Auth-Token", token.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.options.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.versioned {
		req.Header.Set(microversionHeader, "data-protect "+Microversion)
	}
	res, err := c.options.HTTP.Do(req)
	if err != nil {
		return nil, unreachable(c.endpoint.Host, err)
	}
	defer func() { _ = res.Body.Close() }() // what matters was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(c.endpoint.Host, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, refusal(res, answer)
	}
	return answer, nil
}

// escape makes one path segment of an id or type.
func escape(segment string) string { return url.PathEscape(segment) }
