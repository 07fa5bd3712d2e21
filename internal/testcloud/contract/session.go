package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// object is a JSON object.
type object = map[string]any

// session is one user's token and the way to the services.
type session struct {
	*cloud
	name string
	// token is the one that the session began with; ticket, if there is one,
	// knows the one of now.
	token     string
	ticket    *ticket
	userID    string
	projectID string
	// endpoints are the services' URLs by their type in the catalog.
	endpoints map[string]string
	headers   map[string]string
}

// with gives a copy of the session that sends one header more.
func (s *session) with(key, value string) *session {
	other := *s
	other.headers = maps.Clone(s.headers)
	if other.headers == nil {
		other.headers = map[string]string{}
	}
	other.headers[key] = value
	return &other
}

// nova gives a copy that asks for a microversion of the compute API.
func (s *session) nova(version string) *session {
	return s.with("OpenStack-API-Version", "compute "+version)
}

// cinder gives a copy that asks for a microversion of the volume API.
func (s *session) cinder(version string) *session {
	return s.with("OpenStack-API-Version", "volume "+version)
}

func (s *session) get(t *testing.T, service, path string) *answer {
	t.Helper()
	return s.call(t, http.MethodGet, service, path, nil)
}

func (s *session) post(t *testing.T, service, path string, body any) *answer {
	t.Helper()
	return s.call(t, http.MethodPost, service, path, body)
}

func (s *session) put(t *testing.T, service, path string, body any) *answer {
	t.Helper()
	return s.call(t, http.MethodPut, service, path, body)
}

func (s *session) delete(t *testing.T, service, path string) *answer {
	t.Helper()
	return s.call(t, http.MethodDelete, service, path, nil)
}

// call makes a request and reads the whole answer. A body that is an
// io.Reader goes as it is, any other but nil as JSON.
func (s *session) call(t *testing.T, method, service, path string, body any) *answer {
	t.Helper()
	a, err := s.try(context.WithoutCancel(t.Context()), method, service, path, body)
	if err != nil {
		t.Fatalf("as %s, %s %s of %s: %v", s.name, method, path, service, err)
	}
	return a
}

func (s *session) try(ctx context.Context, method, service, path string, body any) (*answer, error) {
	response, err := s.stream(ctx, method, service, path, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	a := &answer{
		what:   fmt.Sprintf("as %s, %s %s of %s", s.name, method, path, service),
		status: response.StatusCode, header: response.Header, body: text,
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") && len(text) > 0 {
		if err := json.Unmarshal(text, &a.parsed); err != nil {
			return nil, fmt.Errorf("the answer is not the JSON that it says it is: %w", err)
		}
	}
	return a, nil
}

// stream makes a request and leaves the answer's body to the caller.
func (s *session) stream(ctx context.Context, method, service, path string, body any) (*http.Response, error) {
	base, ok := s.endpoints[service]
	if !ok {
		return nil, fmt.Errorf("no endpoint of type %s among %v", service, slices.Sorted(maps.Keys(s.endpoints)))
	}
	kind := ""
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case io.Reader:
		reader, kind = body, "application/octet-stream"
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		reader, kind = bytes.NewReader(text), "application/json"
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	token, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("X-Auth-Token", token)
	}
	for key, value := range s.headers {
		request.Header.Set(key, value)
	}
	return s.http.Do(request)
}

// forget removes something at the end of the test and waits until it is gone.
// While it is in use, that is tried again.
func (s *session) forget(t *testing.T, service, path string) {
	t.Helper()
	t.Cleanup(func() { s.remove(t, service, path) })
}

// remove deletes something now and waits until it is gone.
func (s *session) remove(t *testing.T, service, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.Wait)
	defer cancel()
	for {
		a, err := s.try(ctx, http.MethodDelete, service, path, nil)
		if err != nil {
			t.Errorf("removing %s of %s: %v", path, service, err)
			return
		}
		if a.status == http.StatusNotFound {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.Pause):
		}
	}
}
