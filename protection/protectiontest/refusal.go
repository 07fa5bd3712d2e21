package protectiontest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// refusals are what a cloud refuses a request with: for lack of quota, for a policy of the
// operator's, and as what it names has vanished meanwhile.
var refusals = []struct {
	status int
	says   string
	kind   karbor.Kind
}{
	{http.StatusRequestEntityTooLarge, "Quota exceeded for what was asked for.", karbor.OverLimit},
	{http.StatusForbidden, "Policy does not allow this request.", karbor.Forbidden},
	{http.StatusNotFound, "What it is made of could not be found.", karbor.NotFound},
}

// refusing is a way to a cloud that refuses one of the requests that make or change something.
type refusing struct {
	base   http.RoundTripper
	status int
	says   string

	mu     sync.Mutex
	left   int // requests before it
	struck string
}

// RoundTrip implements http.RoundTripper.
func (r *refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet || request.Method == http.MethodDelete || strings.Contains(request.URL.Path, "/auth/") {
		return r.base.RoundTrip(request)
	}
	r.mu.Lock()
	now := r.left == 0
	r.left--
	if now {
		r.struck = request.Method + " " + request.URL.Path
	}
	r.mu.Unlock()
	if !now {
		return r.base.RoundTrip(request)
	}
	if request.Body != nil {
		if err := request.Body.Close(); err != nil {
			return nil, err
		}
	}
	text := fmt.Sprintf(`{"fault": {"code": %d, "message": %q}}`, r.status, r.says)
	if strings.HasPrefix(request.URL.Path, "/api/") || strings.HasPrefix(request.URL.Path, "/apis/") { // Kubernetes
		text = fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": %d, "message": %q}`, r.status, r.says)
	}
	return &http.Response{
		Status: http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

// testRefusals has the cloud refuse the first request of an operation that makes or changes
// something, then the second, and so on. The operation may do without what was refused; else it
// fails at once, with a text that says what the cloud says, and can be undone.
func (b *bench) testRefusals(t *testing.T, what karbor.OperationType) {
	hooks := b.Plugin.Hooks(what, b.Type)
	source, kept, remove := b.ready(t, what)
	defer remove()
	for _, refusal := range refusals {
		for n := 0; ; n++ {
			way := &refusing{base: b.faults.base, status: refusal.status, says: refusal.says, left: n}
			ok := t.Run(fmt.Sprintf("request %d, by %d", n, refusal.status), func(t *testing.T) {
				err := b.refusedOnce(t, what, hooks, source, kept, way)
				if err == nil {
					return
				}
				if karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Internal ||
					refusal.kind == karbor.OverLimit && karbor.KindOf(err) != refusal.kind || !strings.Contains(err.Error(), refusal.says) {
					t.Errorf("refusing %s gave %v", way.struck, err)
				}
			})
			if !ok || way.struck == "" {
				break
			}
		}
	}
}

// refusedOnce runs and undoes an operation on that way, and gives its error.
func (b *bench) refusedOnce(t *testing.T, what karbor.OperationType, hooks protection.Hooks, source Source, kept *bank, way *refusing) error {
	_, call, remove := b.begin(t, what, source, kept)
	defer remove()
	empty := b.Inventory(t)
	b.faults.base = way
	err := b.run(t.Context(), life{dies: -1}, hooks, call)
	b.faults.base = way.base
	if err != nil && way.struck == "" {
		t.Fatalf("the operation failed without a refusal: %v", err)
	}
	if err == nil && what == karbor.Protect {
		b.expectKept(t, "after protecting", empty)
	}
	if err == nil && what == karbor.Protect && b.Keeps == 0 {
		return nil
	}
	if err := b.undo(t.Context(), hooks, call); err != nil {
		t.Fatalf("after %s was refused, undoing: %v", way.struck, err)
	}
	b.expect(t, fmt.Sprintf("after %s was refused, and undoing", way.struck), empty)
	return err
}

// ExpectRefusal reports an error that is not of a kind, that may pass, or that lacks a word.
func ExpectRefusal(t *testing.T, err error, kind karbor.Kind, words ...string) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind || karbor.IsTransient(err) {
		t.Errorf("the error is of the kind %v, transient %t: %v", karbor.KindOf(err), karbor.IsTransient(err), err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

// Afterwards has something happen when the source is gone.
func Afterwards(source Source, do func(t *testing.T)) Source {
	destroy := source.Destroy
	source.Destroy = func(t *testing.T) {
		destroy(t)
		do(t)
	}
	return source
}
