package janitor_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
)

// keyless is the way to a Glance that may not delete the secrets of its images' keys.
type keyless struct{}

func (keyless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodDelete || !strings.Contains(r.URL.Path, "/images/") {
		return http.DefaultTransport.RoundTrip(r)
	}
	look := r.Clone(r.Context())
	look.Method = http.MethodGet
	shown, err := http.DefaultTransport.RoundTrip(look)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(shown.Body)
	if err := shown.Body.Close(); err != nil {
		return nil, err
	}
	if err == nil && strings.Contains(string(text), keymanager.GoesAlong) {
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestAnImageGoesWhoseKeyTheCloudDoesNotDelete(t *testing.T) {
	n := newTenant(t)
	a := n.Do(t, n.token, http.MethodPost, "/key-manager/v1/secrets", map[string]any{"name": "key", "payload": "bytes", "payload_content_type": "text/plain"})
	_, secret, _ := strings.Cut(string(a.Body), "/secrets/")
	secret, _, _ = strings.Cut(secret, `"`)
	properties := map[string]any{"name": "shop image", "disk_format": "raw", "container_format": "bare",
		keymanager.Property: secret, keymanager.PolicyProperty: keymanager.GoesAlong}
	for k, v := range restoring().RestoringTags() {
		properties[k] = v
	}
	id := n.make(t, "/image/v2/images", "", properties)
	found := judged(t, administratorBy(t, n, &http.Client{Transport: keyless{}}), janitor.Query{Remove: true, Unfinished: true})
	if n.there(t, "/image/v2/images/"+id) {
		t.Errorf("the image is there: %v", found)
	}
	if left := n.there(t, "/key-manager/v1/secrets/"+secret); left != strings.Contains(found[id], "the secret "+secret) {
		t.Errorf("the secret is there: %v; told is %v", left, found)
	}
}
