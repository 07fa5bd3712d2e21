package openstack

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/karbor/karbor"
)

// Keystone answers 403, and not 404, to who asks for a token of a trust whose user is disabled
// or has lost a role of it. The services of the cloud don't expect that: their middleware
// (keystonemiddleware, auth_token) answers 503 with the text below, as if Keystone were away. So
// a 503 with that text is looked into, where there is a delegation to ask for.

// middlewareDoubt is what the middleware says when it can't have a token validated.
const middlewareDoubt = "The Keystone service is temporarily unavailable"

// doubted reports whether a service says that it could not have the token validated. The
// answer's body can still be read.
func doubted(resp *http.Response) bool {
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Body == nil {
		return false
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, drainLimit))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failedReader{err}
	}
	resp.Body = &rereadBody{Reader: io.MultiReader(bytes.NewReader(text), rest), Closer: resp.Body}
	return bytes.Contains(text, []byte(middlewareDoubt))
}

// rereadBody is a body whose beginning was read.
type rereadBody struct {
	io.Reader
	io.Closer
}

// failedReader gives the error that a body was read to.
type failedReader struct{ err error }

func (f failedReader) Read([]byte) (int, error) { return 0, f.err }

// answerLife is how long it holds what Keystone said of a delegation whose token a service doubted. A
// service that really can't reach Keystone doubts every request: each would have one more token made.
const answerLife = 30 * time.Second

// silenceLife is how long Keystone is not asked again when it gave no answer: it is asked several
// times for each token then.
const silenceLife = 5 * time.Second

// answer is what Keystone said when a service doubted a token.
type answer struct {
	// about is the token that it holds for: the one that was doubted, or the one that Keystone
	// gave instead. Nothing is known by it of any other.
	about *grant
	// refused is nil if Keystone gave another, or did not answer.
	refused error
	ends    time.Time
}

// refusal tells whether a token that a service doubts is of no use any more: then Keystone
// gives no other by the delegation, and says so. It is nil where Keystone gives one, or really
// is away. Keystone is asked once in answerLife, and where it does not answer, in silenceLife.
func (c *session) refusal(ctx context.Context, doubted *grant) error {
	if c.grants.issuer == nil {
		return nil
	}
	if held := c.grants.held(); held != doubted && held != nil {
		return nil // there is another one already
	}
	if answered, err := c.grants.answered(doubted, c.site.now()); answered {
		return err
	}
	before := c.grants.lying()
	fresh, err := c.grants.renew(ctx, doubted)
	now := c.site.now()
	switch {
	case err == nil && fresh == before:
		// It had lain there, and Keystone was not asked: it is when this one is doubted, too.
	case err == nil:
		c.grants.keep(answer{fresh, nil, now.Add(answerLife)})
	case karbor.KindOf(err) == karbor.Unauthorized:
		c.grants.keep(answer{doubted, err, now.Add(answerLife)})
		return err
	case ctx.Err() == nil:
		c.grants.keep(answer{doubted, nil, now.Add(silenceLife)})
	}
	return nil
}

// lying gives the token that renew may give without asking Keystone, as another session got it.
func (g *grants) lying() *grant {
	if g.shared == nil {
		return nil
	}
	return g.shared.held()
}

// keep keeps what Keystone said.
func (g *grants) keep(a answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = a
}

// answered gives what Keystone said of a doubted token, if that still holds.
func (g *grants) answered(doubted *grant, now time.Time) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.answer.about == doubted && now.Before(g.answer.ends), g.answer.refused
}

// useless reports whether a token that the service user may not look up is no good. A good
// one may always be looked up with itself: then it is the service user who lacks a role.
func (s *site) useless(ctx context.Context, token karbor.Secret) bool {
	_, err := s.lookup(ctx, token, token, false)
	switch karbor.KindOf(err) {
	case karbor.Unauthorized, karbor.Forbidden, karbor.NotFound:
		return err != nil
	}
	return false
}
