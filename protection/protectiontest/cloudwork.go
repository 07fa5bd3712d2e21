package protectiontest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Meanwhile is a way to the cloud on which something happens just before a request gets
// there: somebody deletes a thing, or takes an address.
type Meanwhile struct {
	mu     sync.Mutex
	method string
	path   *regexp.Regexp
	do     func()
}

// Before has do run once, before the next request of a method whose path matches. A test
// that ends before that fails.
func (m *Meanwhile) Before(t *testing.T, method, path string, do func()) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.method, m.path, m.do = method, regexp.MustCompile(path), do
	t.Cleanup(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.do != nil {
			t.Errorf("no %s of %s was seen", method, path)
		}
	})
}

// RoundTrip implements http.RoundTripper.
func (m *Meanwhile) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	do := m.do
	if do != nil && r.Method == m.method && m.path.MatchString(r.URL.Path) {
		m.do = nil
	} else {
		do = nil
	}
	m.mu.Unlock()
	if do != nil {
		do()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Doubling is a way to a cloud that lists everything twice, as one does whose pages shift
// while they are read.
type Doubling struct {
	// Base is the way on; nil for http.DefaultTransport.
	Base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d Doubling) RoundTrip(r *http.Request) (*http.Response, error) {
	base := d.Base
	if base == nil {
		base = http.DefaultTransport
	}
	response, err := base.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		return response, err
	}
	return rewritten(response, doubled)
}

// Keyless is a way to a cloud whose catalogue has no key manager.
type Keyless struct{}

// RoundTrip implements http.RoundTripper.
func (Keyless) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, "/auth/") {
		return response, err
	}
	return rewritten(response, func(text []byte) []byte {
		return bytes.ReplaceAll(text, []byte(`"key-manager"`), []byte(`"none"`))
	})
}

// rewritten gives an answer with another body.
func rewritten(response *http.Response, change func(text []byte) []byte) (*http.Response, error) {
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	text = change(text)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	response.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return response, nil
}

// identified is a thing in any service's words for its id.
type identified struct {
	ID     string `json:"id"`
	Job    string `json:"job_id"`
	Backup string `json:"backup_id"`
	Client struct {
		ID string `json:"client_id"`
	} `json:"client"`
	// Metadata are those of Kubernetes, whose things have names.
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

// doubled gives an answer with each thing of its list twice: what has an id is a thing.
func doubled(text []byte) []byte {
	var answer map[string]json.RawMessage
	if json.Unmarshal(text, &answer) != nil {
		return text
	}
	for member, value := range answer {
		var things []json.RawMessage
		var named []identified
		if json.Unmarshal(value, &things) != nil || json.Unmarshal(value, &named) != nil {
			continue
		}
		var twice []json.RawMessage
		for i, thing := range things {
			twice = append(twice, thing)
			if named[i] != (identified{}) {
				twice = append(twice, thing)
			}
		}
		if more, err := json.Marshal(twice); err == nil && len(twice) > 0 {
			answer[member] = more
		}
	}
	if out, err := json.Marshal(answer); err == nil {
		return out
	}
	return text
}
