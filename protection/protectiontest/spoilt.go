package protectiontest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"github.com/karbor/karbor"
)

// Pretending is a way to a cloud whose answers about a thing are not what it is like: the state of one that comes
// to nothing, or that the cloud gets no further with.
type Pretending struct {
	// Base is the way on; nil for http.DefaultTransport.
	Base http.RoundTripper

	mu     sync.Mutex
	path   *regexp.Regexp
	change func(members map[string]any)
	said   int
}

// Say has the answers to GET requests whose path matches be changed, until Stop. change gets the members of
// the one thing that is shown.
func (p *Pretending) Say(path string, change func(members map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.path, p.change = regexp.MustCompile(path), change
}

// Stop has the cloud tell the truth, and reports how many answers were changed.
func (p *Pretending) Stop() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.path = nil
	return p.said
}

// RoundTrip implements http.RoundTripper.
func (p *Pretending) RoundTrip(r *http.Request) (*http.Response, error) {
	base := p.Base
	if base == nil {
		base = http.DefaultTransport
	}
	response, err := base.RoundTrip(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || p.path == nil || r.Method != http.MethodGet || response.StatusCode != http.StatusOK || !p.path.MatchString(r.URL.Path) {
		return response, err
	}
	return rewritten(response, p.pretend)
}

// pretend gives an answer in which the one thing that it shows is changed.
func (p *Pretending) pretend(text []byte) []byte {
	var answer map[string]any
	if json.Unmarshal(text, &answer) != nil {
		return text
	}
	members := answer
	for _, inner := range answer {
		if one, ok := inner.(map[string]any); ok && len(answer) == 1 {
			members = one
		}
	}
	p.change(members)
	p.said++
	if out, err := json.Marshal(answer); err == nil {
		return out
	}
	return text
}

// Spoilt has an operation fail of which spoil has spoilt the cloud, from when its source is ready; then mend
// mends that, and the operation is undone. It gives the error. What is left behind fails the test.
func Spoilt(t *testing.T, c Case, what karbor.OperationType, spoil, mend func()) error {
	t.Helper()
	b := newBench(t, c)
	hooks := b.Plugin.Hooks(what, b.Type)
	source, kept, remove := b.ready(t, what)
	defer remove()
	_, call, end := b.begin(t, what, source, kept)
	defer end()
	before := b.Inventory(t)
	spoil()
	err := b.run(t.Context(), life{dies: -1}, hooks, call)
	mend()
	if err == nil {
		t.Fatal("the operation does not fail")
	}
	if err := b.undo(t.Context(), hooks, call); err != nil {
		t.Fatalf("undoing the operation: %v", err)
	}
	b.expect(t, "after undoing the operation", before)
	return err
}
