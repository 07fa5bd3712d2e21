package v1_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
)

var update = flag.Bool("update", false, "write the OpenAPI document and the reference page anew")

// contract is the OpenAPI document that the answers of these tests are checked
// against.
type contract struct {
	mux *http.ServeMux
}

// operations is a handler that stands for the operations of one path.
type operations map[string]*openapi3.Operation

func (operations) ServeHTTP(http.ResponseWriter, *http.Request) {}

// document is the one of these tests' routes.
var document = sync.OnceValues(func() ([]byte, error) {
	return api.Document(v1.Routes(v1.Deps{}))
})

var published = sync.OnceValues(func() (*contract, error) {
	text, err := document()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	c := &contract{mux: http.NewServeMux()}
	for path, item := range doc.Paths.Map() {
		if strings.HasSuffix(path, "/") {
			path += "{$}"
		}
		c.mux.Handle(path, operations(item.Operations()))
	}
	return c, nil
})

// check holds an answer against the document: the status is one that the
// operation has, the body fits its schema, and the headers are there.
func (c *contract) check(t testing.TB, r *http.Request, a *httptest.ResponseRecorder) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf(r.Method+" "+r.URL.Path+" answers what the OpenAPI document does not know: "+format, args...)
	}
	if a.Header().Get("X-Openstack-Request-Id") == "" {
		fail("no request id")
	}
	handler, _ := c.mux.Handler(r)
	known, _ := handler.(operations)
	method := r.Method
	if method == http.MethodHead {
		return
	}
	op := known[method]
	if op == nil {
		if a.Code < http.StatusBadRequest {
			fail("there is no such operation")
		}
		return
	}
	response := op.Responses.Status(a.Code)
	if response == nil {
		response = op.Responses.Default()
	}
	if stream := response.Value.Content["text/event-stream"]; stream != nil && a.Code < http.StatusBadRequest {
		checkEvents(fail, stream.Schema.Value, a)
		return
	}
	media := response.Value.Content.Get("application/json")
	if media == nil {
		if a.Body.Len() > 0 {
			fail("status %d with a body: %s", a.Code, a.Body)
		}
		return
	}
	if got := a.Header().Get("Content-Type"); got != "application/json" {
		fail("content type %q", got)
	}
	var v any
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		fail("%v", err)
		return
	}
	if err := media.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		fail("%v\n(the type named as the route's Answer, and the tags of its fields, make the schema)", err)
	}
}

// checkEvents holds the data of each event but the last one, close, against its schema.
func checkEvents(fail func(string, ...any), s *openapi3.Schema, a *httptest.ResponseRecorder) {
	if got := a.Header().Get("Content-Type"); got != "text/event-stream" {
		fail("content type %q", got)
	}
	for event := range strings.SplitSeq(a.Body.String(), "\n\n") {
		_, data, found := strings.Cut(event, "\ndata: ")
		if !found || strings.HasPrefix(event, "event: close") {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			fail("%v", err)
		} else if err := s.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
			fail("%v", err)
		}
	}
}

// checkContract holds an answer against the published document.
func checkContract(t testing.TB, r *http.Request, a *httptest.ResponseRecorder) {
	t.Helper()
	c, err := published()
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, r, a)
}

func TestTheOpenAPIDocumentIsValid(t *testing.T) {
	t.Parallel()
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	for _, r := range v1.Routes(v1.Deps{}) {
		name := r.Method + " " + r.Pattern
		switch {
		case r.Summary == "":
			t.Errorf("%s: fill in Route.Summary, such as \"List the plans\"", name)
		case strings.HasSuffix(r.Summary, "."):
			t.Errorf("%s: Route.Summary has no full stop at its end", name)
		}
		if r.Answer == nil && r.Method != http.MethodDelete {
			t.Errorf("%s: fill in Route.Answer: a value of the type that Handle answers with (answer{}), api.Shape{\"thing\": view{}}, or api.ListShape(\"things\", view{})", name)
		}
		if list, ok := r.Answer.(api.Shape); ok && len(r.Query) == 0 && hasLinks(list) {
			t.Errorf("%s: fill in Route.Query: api.PageQuery(sortKeys, …filters)", name)
		}
		for _, q := range r.Query {
			if q.Description == "" {
				t.Errorf("%s: the parameter %s has no description", name, q.Name)
			}
		}
	}
}

func hasLinks(s api.Shape) bool {
	for name := range s {
		if strings.HasSuffix(name, "_links?") {
			return true
		}
	}
	return false
}

// golden compares a file with what it should hold; -update writes it.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the routes say. If the change is meant: go test ./internal/api/v1 -run 'OpenAPI|Reference' -update, and look at the difference", path)
	}
}

func TestTheOpenAPIDocumentIsTheGoldenOne(t *testing.T) {
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/openapi.json", text)
}

func TestTheOpenAPIDocumentIsServedToEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	a := w.raw(t, "", "GET", "/v1/openapi.json", "").want(t, 200)
	if a.text != string(text) || a.header.Get("Content-Type") != "application/json" || a.header.Get("Content-Length") != strconv.Itoa(len(text)) {
		t.Errorf("got %d bytes, %v", len(a.text), a.header)
	}
}
