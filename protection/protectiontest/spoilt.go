package protectiontest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
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
	// looks is how often it was said within a limit, nil if what is said does not end one.
	looks map[*openstack.Limit]int
}

// Say has the answers to GET requests whose path matches be changed, until Stop. change gets the members of
// the one thing that is shown.
func (p *Pretending) Say(path string, change func(members map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.path, p.change, p.looks = regexp.MustCompile(path), change, nil
}

// enough is how many looks a wait has had for whose limit the cloud gets no further.
const enough = 3

// Stay is Say of what does not get any further: when it was said three times in a wait, the time for that is over.
func (p *Pretending) Stay(path string, change func(members map[string]any)) {
	p.Say(path, change)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks = map[*openstack.Limit]int{}
}

// Told gives Stay for what is told as karbor.Unavailable, as the wait for it has an end, and Say for all else.
func (p *Pretending) Told(as karbor.Kind) func(path string, change func(members map[string]any)) {
	if as == karbor.Unavailable {
		return p.Stay
	}
	return p.Say
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
	if limit := openstack.LimitOf(r.Context()); limit != nil && p.looks != nil {
		if p.looks[limit]++; p.looks[limit] > enough {
			limit.End()
		}
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

// ExpectOvertime wants the error of a wait whose limit is over: it is not tried again, and the tenant reads the limit and the words.
func ExpectOvertime(t *testing.T, err error, limit string, words ...string) {
	t.Helper()
	if err == nil || karbor.IsTransient(err) || karbor.KindOf(err) != karbor.Unavailable {
		t.Fatalf("got %v; want that the time for a wait is over", err)
	}
	for _, word := range append(words, "waiting for", "more than "+limit) {
		if told := karbor.Sentence(err); !strings.Contains(told, word) {
			t.Errorf("the tenant reads %q, without %q", told, word)
		}
	}
}
